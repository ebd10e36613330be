// int8 on AVX-512 without VNNI, exact over the whole range: both sides widened to 16 bits, VPMADDWD multiplies two of a row
// by two of each of 16 columns, VPADDD adds to the int32 sums. (VPMADDUBSW would take two bytes more a step but saturates.)
// A is widened once by pack_a, B in the loop: one VPMOVSXBW serves all rows of the tile.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Int8 : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 16, .kr = 2, .k_unit = 2, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 8, 6}};
  static constexpr int step_bytes = 32, in_flight = 4;

  static NARROW_INLINE B load_b(const char* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  // As assembly with a tied operand: from the intrinsics, g++ 12 copies and spills the accumulators.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Acc pairs;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+v"(acc), "=&v"(pairs) : "v"(a), "v"(b));
  }
};

/// Weights of bits: a mask for 32 of them, and a blend of -1 and +1.
struct BitWeights : Int8 {
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 16, .kr = 2, .k_unit = 2, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 8, 6}, .b_bits = 1};
  static constexpr int step_bytes = 4;

  static NARROW_INLINE B load_b(const char* p) {
    __mmask32 bits;
    memcpy(&bits, p, sizeof bits);
    return _mm512_mask_blend_epi16(bits, _mm512_set1_epi16(-1), _mm512_set1_epi16(1));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int8, Simd>("gemm_s16s8_6x64x2_avx512", Tier::avx512, avx512_prepare, avx512_epilogue),
    bit_weights_kernel<BitWeights, Simd>("gemm_s16b1_6x64x2_avx512", Tier::avx512, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
