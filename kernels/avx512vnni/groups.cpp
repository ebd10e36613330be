// Weights of 4 and 8 bits with groups of k on AVX-512 VNNI: VPDPBUSD multiplies four unsigned weights of each of 16 columns by
// four s8 of a row.
//
// Registers of the 6x32 tile: zmm0-11 sums of a group, 12-23 float sums, 2 for a k-step of B, 1 for the mask, 1 or 2 for
// broadcasts of A. A k-step of nibbles is 12 dots (6 cycles on two ports), 7 loads, and 3 operations on the other two ports.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/group_kernel.h"

namespace narrow {
namespace {

struct Dot : Vector512 {
  using Packed = B;
  static constexpr int in_flight = 10, narrow_steps = 0;  // 8 dots would do, if each of them were on time

  static NARROW_INLINE Acc from(Simd::I x) { return x; }
  static NARROW_INLINE Simd::I to_int(Acc x) { return x; }
  // Assembly for the reason given in int8.cpp; on a copy, because g++ 12 keeps some arrays of accumulators in memory where
  // their elements are operands.
  static NARROW_INLINE void dot(Acc& acc, B b, A a) {
    Acc sum = acc;
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a));
    acc = sum;
  }
};

struct Int4 : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 32, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 2, .max_rows = {6, 6}, .b_offset = 0};
  static constexpr int halves = 2, unasked_rows = 0, l2_rows = 9;

  static NARROW_INLINE Packed load_b(const char* p) {
    Packed pairs = load(p);
    asm("" : "+v"(pairs));  // or else it is loaded again for the second half
    return pairs;
  }
  template <int half>
  static NARROW_INLINE B half_of(Packed pairs) {
    return nibbles<half>(pairs);
  }
  static NARROW_INLINE B high_times_16(Packed pairs) { return _mm512_andnot_si512(_mm512_set1_epi8(15), pairs); }
};

struct Int8 : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 32, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 2, .max_rows = {6, 6}, .b_offset = 128};
  static constexpr int halves = 1, unasked_rows = 4, l2_rows = 18;

  static NARROW_INLINE Packed load_b(const char* p) { return load(p); }
  template <int>
  static NARROW_INLINE B half_of(Packed b) {
    return b;
  }
};

constexpr Kernel rows[] = {
    group_kernel<Int4, Simd>("gemm_s8u4g_6x32x4_avx512vnni", Tier::avx512vnni, Type::u4, avx512_prepare, avx512_epilogue),
    group_kernel<Int8, Simd>("gemm_s8s8g_6x32x4_avx512vnni", Tier::avx512vnni, Type::s8, avx512_prepare, avx512_epilogue),
};

}  // namespace

KernelTable avx512vnni_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
