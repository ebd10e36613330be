// Weights of 4 and 8 bits with groups of k on AVX2, exact over the whole range.
//
// 4 bits: VPMADDUBSW multiplies unsigned nibbles by s8 of a row and adds pairs, at most 2 * 15 * 128 = 3840 in magnitude. Eight
// of them, 30720, still fit 16 bits; then VPMADDWD with ones makes them int32. Registers of the 4x16 tile: 8 sums, 2 for a
// k-step of B, 2 packed, 1 product, 1 or 2 for broadcasts of A; int32 and float sums wait in the L1 cache. 8 bits: both sides
// are widened to 16 bits, because pairs of products would saturate.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/group_kernel.h"

namespace narrow {
namespace {

struct Int4 : Vector256 {  // sums of 16 bits
  using Packed = B;
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {4, 4, 4, 4}, .b_offset = 0};
  static constexpr int in_flight = 4, narrow_steps = 8, halves = 2;

  static NARROW_INLINE Packed load_b(const char* p) { return load(p); }
  template <int half>
  static NARROW_INLINE B half_of(Packed pairs) {
    return nibbles<half>(pairs);
  }
  static NARROW_INLINE Simd::I to_int(Acc x) { return _mm256_madd_epi16(x, ones_of_16_bits()); }
  // Assembly, because g++ 12 makes trees of the sums and spills the products.
  static NARROW_INLINE void dot(Acc& acc, B b, A a) {
    Acc sum = acc, product;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(b), "x"(a));
    acc = sum;
  }
};

struct Int8 : Vector256 {
  using Packed = B;
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 2, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {4, 4, 4, 4}, .b_offset = 0};
  static constexpr int in_flight = 4, narrow_steps = 0, halves = 1;

  static NARROW_INLINE A load_a(const char* p) {
    int16_t two;
    memcpy(&two, p, 2);
    return _mm256_cvtepi8_epi16(_mm_set1_epi16(two));
  }
  static NARROW_INLINE Packed load_b(const char* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  template <int>
  static NARROW_INLINE B half_of(Packed b) {
    return b;
  }
  static NARROW_INLINE Acc from(Simd::I x) { return x; }
  static NARROW_INLINE Simd::I to_int(Acc x) { return x; }
  static NARROW_INLINE void dot(Acc& acc, B b, A a) { acc = _mm256_add_epi32(acc, _mm256_madd_epi16(b, a)); }
};

constexpr Kernel rows[] = {
    group_kernel<Int4, Simd>("gemm_s8u4g_4x16x4_avx2", Tier::avx2, Type::u4, avx2_prepare, avx2_epilogue),
    group_kernel<Int8, Simd>("gemm_s8s8g_4x16x2_avx2", Tier::avx2, Type::s8, avx2_prepare, avx2_epilogue),
};

}  // namespace

KernelTable avx2_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
