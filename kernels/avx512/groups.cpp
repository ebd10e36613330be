// Weights of 4 and 8 bits with groups of k on AVX-512 without VNNI, exact over the whole range.
//
// 4 bits: VPMADDUBSW multiplies unsigned nibbles by s8 of a row and adds pairs, at most 2 * 15 * 128 = 3840 in magnitude. Eight
// of them, 30720, still fit 16 bits; then VPMADDWD with ones makes them int32. Registers of the 6x32 tile: 12 sums, 2 for a
// k-step of B, 2 packed, 1 product, 1 or 2 for broadcasts of A; some of the 12 float sums wait in the L1 cache. 8 bits: both
// sides are widened to 16 bits, because pairs of products would saturate.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/group_kernel.h"

namespace narrow {
namespace {

struct Int4 : Vector512 {  // sums of 16 bits
  using Packed = B;
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 32, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 2, .max_rows = {6, 6}, .b_offset = 0};
  static constexpr int in_flight = 4, narrow_steps = 8, halves = 2;

  static NARROW_INLINE Packed load_b(const char* p) { return load(p); }
  template <int half>
  static NARROW_INLINE B half_of(Packed pairs) {
    return nibbles<half>(pairs);
  }
  static NARROW_INLINE Simd::I to_int(Acc x) { return _mm512_madd_epi16(x, ones_of_16_bits()); }
  // Assembly, because g++ 12 makes trees of the sums and spills the products.
  static NARROW_INLINE void dot(Acc& acc, B b, A a) {
    Acc sum = acc, product;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+v"(sum), "=&v"(product) : "v"(b), "v"(a));
    acc = sum;
  }
};

struct Int8 : Vector512 {
  using Packed = B;
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 32, .kr = 2, .k_unit = 8, .row_group = 1, .max_panels = 2, .max_rows = {6, 6}, .b_offset = 0};
  static constexpr int in_flight = 4, narrow_steps = 0, halves = 1;

  static NARROW_INLINE A load_a(const char* p) {
    int16_t two;
    memcpy(&two, p, 2);
    return _mm512_cvtepi8_epi16(_mm256_set1_epi16(two));
  }
  static NARROW_INLINE Packed load_b(const char* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  template <int>
  static NARROW_INLINE B half_of(Packed b) {
    return b;
  }
  static NARROW_INLINE Acc from(Simd::I x) { return x; }
  static NARROW_INLINE Simd::I to_int(Acc x) { return x; }
  static NARROW_INLINE void dot(Acc& acc, B b, A a) { acc = _mm512_add_epi32(acc, _mm512_madd_epi16(b, a)); }
};

constexpr Kernel rows[] = {
    group_kernel<Int4, Simd>("gemm_s8u4g_6x32x4_avx512", Tier::avx512, Type::u4, avx512_prepare, avx512_epilogue),
    group_kernel<Int8, Simd>("gemm_s8s8g_6x32x2_avx512", Tier::avx512, Type::s8, avx512_prepare, avx512_epilogue),
};

}  // namespace

KernelTable avx512_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
