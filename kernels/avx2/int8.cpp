// int8 on AVX2, exact over the whole range: both sides widened to 16 bits, VPMADDWD multiplies two of a row by two of each
// of 8 columns, VPADDD adds to the int32 sums. (VPMADDUBSW would take two bytes more a step but saturates.)
// A is widened once by pack_a, B in the loop: one VPMOVSXBW serves all rows of the tile.
// Registers of the 6x16 tile: ymm0-11 sums, 2 for the panels' k-step, 1 broadcast of A, 1 product.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Int8 : Vector256 {
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 8, .kr = 2, .k_unit = 2, .row_group = 1, .max_panels = 4, .max_rows = {12, 6, 3, 2}};
  static constexpr int step_bytes = 16, in_flight = 4;

  static NARROW_INLINE B load_b(const char* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  // As assembly with a tied operand: from the intrinsics, g++ 12 copies and spills the accumulators.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Acc pairs;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(pairs) : "x"(a), "x"(b));
  }
};

/// Weights of bits: 16 of them go to all lanes, each of which looks at its own; where that is 0, the lane becomes -1, else +1.
struct BitWeights : Int8 {
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 8, .kr = 2, .k_unit = 2, .row_group = 1, .max_panels = 4, .max_rows = {12, 6, 3, 2}, .b_bits = 1};
  static constexpr int step_bytes = 2;

  static NARROW_INLINE B load_b(const char* p) {
    int16_t bits;
    memcpy(&bits, p, sizeof bits);
    const B own = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, INT16_MIN);
    const B clear = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(bits), own), _mm256_setzero_si256());
    return _mm256_or_si256(clear, _mm256_set1_epi16(1));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int8, Simd>("gemm_s16s8_6x16x2_avx2", Tier::avx2, avx2_prepare, avx2_epilogue),
    bit_weights_kernel<BitWeights, Simd>("gemm_s16b1_6x16x2_avx2", Tier::avx2, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avx2_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
