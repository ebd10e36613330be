// Weights of 4 bits on AVX-512 without VNNI, exact over the whole range: VPMADDUBSW multiplies nibbles, as unsigned, by s8 of a
// row and adds pairs, at most 2 * 15 * 128 = 3840 in magnitude; those of both halves of a step are added in 16 bits, and
// VPMADDWD with ones makes them int32. Registers of the 5x48 tile: zmm0-14 sums, 6 for the halves of the panels' step, mask,
// ones, 2 for broadcasts of A, 2 for products.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/gemm_kernel.h"
#include "kernels/common/halves.h"

namespace narrow {
namespace {

struct Int4 : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 8, .k_unit = 8, .row_group = 1, .max_panels = 3, .max_rows = {16, 9, 5}, .b_bits = 4};
  static constexpr int step_bytes = 64, a_bytes = 8, in_flight = 4;
  using A = Halves<Vector512>;
  using B = Halves<Vector512>;

  static NARROW_INLINE A load_a(const char* p) { return {Vector512::load_a(p), Vector512::load_a(p + 4)}; }
  static NARROW_INLINE B load_b(const char* p) {
    const Vector512::B pairs = load(p);
    return {nibbles<0>(pairs), nibbles<1>(pairs)};
  }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, const A& a, const B& b) {
    const __m512i sum = _mm512_add_epi16(_mm512_maddubs_epi16(b.low, a.low), _mm512_maddubs_epi16(b.high, a.high));
    acc = _mm512_add_epi32(acc, _mm512_madd_epi16(sum, _mm512_set1_epi16(1)));
  }
};

constexpr Kernel rows[] = {gemm_kernel<Int4, Simd>("gemm_s8u4_5x48x8_avx512", Tier::avx512, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
