// Weights of 4 and 8 bits with groups of k on AVX-VNNI: the 256-bit VPDPBUSD multiplies four unsigned weights of each of 8
// columns by four s8 of a row. Registers of the 5x16 tile of nibbles: ymm0-9 sums of a group, 2 for a k-step of B, 2 packed, 1
// for the mask, 1 for broadcasts of A; the float sums wait in the L1 cache. Of bytes 4x16: the sums of more
// rows g++ 12 keeps in the L1 cache as well.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/group_kernel.h"

namespace narrow {
namespace {

struct Dot : Vector256 {
  using Packed = B;
  static constexpr int in_flight = 8, narrow_steps = 0;

  static NARROW_INLINE Packed load_b(const char* p) { return load(p); }
  static NARROW_INLINE Acc from(Simd::I x) { return x; }
  static NARROW_INLINE Simd::I to_int(Acc x) { return x; }
  // Assembly, and on a copy, for the reasons given in avx512vnni; {vex} because the EVEX form is another tier's.
  static NARROW_INLINE void dot(Acc& acc, B b, A a) {
    Acc sum = acc;
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(b), "x"(a));
    acc = sum;
  }
};

struct Int4 : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {5, 5, 5, 5}, .b_offset = 0};
  static constexpr int halves = 2;

  template <int half>
  static NARROW_INLINE B half_of(Packed pairs) {
    return nibbles<half>(pairs);
  }
  static NARROW_INLINE B high_times_16(Packed pairs) { return _mm256_andnot_si256(_mm256_set1_epi8(15), pairs); }
};

struct Int8 : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {4, 4, 4, 4}, .b_offset = 128};
  static constexpr int halves = 1;

  template <int>
  static NARROW_INLINE B half_of(Packed b) {
    return b;
  }
};

constexpr Kernel rows[] = {
    group_kernel<Int4, Simd>("gemm_s8u4g_5x16x4_avxvnni", Tier::avxvnni, Type::u4, avx2_prepare, avx2_epilogue),
    group_kernel<Int8, Simd>("gemm_s8s8g_4x16x4_avxvnni", Tier::avxvnni, Type::s8, avx2_prepare, avx2_epilogue),
};

}  // namespace

KernelTable avxvnni_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
