// int8 on AVX-512 VNNI: VPDPBUSD multiplies four u8 of a row by four s8 of each of 16 columns and adds them up in int32.
//
// Registers of the 6x64 tile: zmm0-23 sums, 4 for the panels' k-step, 1 or 2 for broadcasts of A. A k-step of 24 dots takes 12
// cycles on two ports and 10 loads of the 24 that two load ports could do.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/to_bytes.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/few_rows.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Int8 : Vector512 {
  using Few = FewRows<Int8, 3, 2>;
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 16, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {16, 11, 8, 6}};
  static constexpr int step_bytes = 64, in_flight = 10;
  template <int panels>
  using ToBytes = RowToBytes<panels>;

  static NARROW_INLINE B load_b(const char* p) { return _mm512_loadu_si512(p); }
  static NARROW_INLINE A flip(A a) { return _mm512_xor_si512(a, _mm512_set1_epi8(-128)); }
  // The one instruction as assembly with a tied operand: from the intrinsic, g++ 12 copies and spills the accumulators.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  }
  static NARROW_INLINE void dot_in_order(Acc& acc, A a, B b) {
    asm volatile("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int8, Simd>("gemm_u8s8_6x64x4_avx512vnni", Tier::avx512vnni, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512vnni_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
