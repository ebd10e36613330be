// Weights of 4 bits on AVX2, exact over the whole range: VPMADDUBSW multiplies nibbles, as unsigned, by s8 of a row
// and adds pairs, at most 2 * 15 * 128 = 3840 in magnitude; those of both halves of a step are added in 16 bits, and VPMADDWD
// with ones makes them int32. Registers of the 4x16 tile: ymm0-7 sums, 4 for the halves of the panels' step, mask, ones, 2
// for broadcasts of A; the products take their places in turn.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/gemm_kernel.h"
#include "kernels/common/halves.h"

namespace narrow {
namespace {

struct Int4 : Vector256 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 8, .k_unit = 8, .row_group = 1, .max_panels = 2, .max_rows = {8, 4}, .b_bits = 4};
  static constexpr int step_bytes = 32, a_bytes = 8, in_flight = 4;
  using A = Halves<Vector256>;
  using B = Halves<Vector256>;

  static NARROW_INLINE A load_a(const char* p) { return {Vector256::load_a(p), Vector256::load_a(p + 4)}; }
  static NARROW_INLINE B load_b(const char* p) {
    const Vector256::B pairs = load_in_order(p);  // or else for each half anew
    return {nibbles<0>(pairs), nibbles<1>(pairs)};
  }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, const A& a, const B& b) {
    const __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(b.low, a.low), _mm256_maddubs_epi16(b.high, a.high));
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
};

constexpr Kernel rows[] = {gemm_kernel<Int4, Simd>("gemm_s8u4_4x16x8_avx2", Tier::avx2, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avx2_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
