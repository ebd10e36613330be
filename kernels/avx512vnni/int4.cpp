// Weights of 4 bits on AVX-512 VNNI: VPDPBUSD multiplies four nibbles of each of 16 columns, as unsigned, by four s8 of a row.
//
// Registers of the 5x64 tile: zmm0-19 sums, 8 for the halves of the panels' step, 1 for the mask, 2 for broadcasts of A. A step
// of 40 dots takes 20 cycles on two ports, 14 loads of the 40 that two load ports could do, and 12 operations elsewhere.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/gemm_kernel.h"
#include "kernels/common/halves.h"

namespace narrow {
namespace {

struct Int4 : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 8, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 7, 5}, .b_bits = 4};
  static constexpr int step_bytes = 64, a_bytes = 8, in_flight = 8;
  using A = Halves<Vector512>;
  using B = Halves<Vector512>;

  static NARROW_INLINE A load_a(const char* p) { return {Vector512::load_a(p), Vector512::load_a(p + 4)}; }
  static NARROW_INLINE B load_b(const char* p) {
    const Vector512::B pairs = load_in_order(p);  // or else for each half anew
    return {nibbles<0>(pairs), nibbles<1>(pairs)};
  }
  // As assembly for the reason given in int8.cpp.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, const A& a, const B& b) {
    Acc sum = acc;
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(b.low), "v"(a.low));
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(b.high), "v"(a.high));
    acc = sum;
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int4, Simd>("gemm_s8u4_5x64x8_avx512vnni", Tier::avx512vnni, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512vnni_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
