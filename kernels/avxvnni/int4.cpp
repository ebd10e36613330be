// Weights of 4 bits on AVX-VNNI: the 256-bit VPDPBUSD multiplies four nibbles of each of 8 columns, as unsigned, by four s8 of
// a row. Registers of the 4x16 tile: ymm0-7 sums, 4 for the halves of the panels' step, 1 for the mask, 2 for broadcasts of A.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/gemm_kernel.h"
#include "kernels/common/halves.h"

namespace narrow {
namespace {

struct Int4 : Vector256 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 8, .k_unit = 8, .row_group = 1, .max_panels = 3, .max_rows = {10, 4, 2}, .b_bits = 4};
  static constexpr int step_bytes = 32, a_bytes = 8, in_flight = 4;
  using A = Halves<Vector256>;
  using B = Halves<Vector256>;

  static NARROW_INLINE A load_a(const char* p) { return {Vector256::load_a(p), Vector256::load_a(p + 4)}; }
  static NARROW_INLINE B load_b(const char* p) {
    const Vector256::B pairs = load(p);
    return {nibbles<0>(pairs), nibbles<1>(pairs)};
  }
  // Assembly with a tied operand for the reason given in avx512vnni; {vex} because the EVEX form is another tier's.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, const A& a, const B& b) {
    Acc sum = acc;
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(b.low), "x"(a.low));
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(b.high), "x"(a.high));
    acc = sum;
  }
};

constexpr Kernel rows[] = {gemm_kernel<Int4, Simd>("gemm_s8u4_4x16x8_avxvnni", Tier::avxvnni, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avxvnni_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
