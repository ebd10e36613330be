// Bits on AVX2: looked up by VPSHUFB, 32 columns at a time (see kernels/common/lookup_tile.h).
// Registers of the 4x64 tile: ymm0-7 the counts of two pairs of rows, 4 for what is to be added to them, 2 for the panels' four
// bits, 1 for lines of the table and what is looked up there, 1 for the mask of four bits.
#include <immintrin.h>

#include "kernels/avx2/lookup.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/binary_kernel.h"
#include "kernels/common/lookup_tile.h"

namespace narrow {
namespace {

struct Bits : LineOffsets {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 32, .kr = 1, .k_unit = 4, .row_group = 1, .max_panels = 2, .max_rows = {8, 4}};
  using V = __m256i;
  using Vectors = Vector256;

  static NARROW_INLINE V lookup(V line, V index) { return _mm256_shuffle_epi8(line, index); }
  // As assembly with tied operands, because g++ 12 copies and spills the counts of the intrinsics, or gathers what is to be
  // added to them.
  static NARROW_INLINE void add_lookup(V& count, V line, V index) {
    V differ;
    asm("vpshufb %3, %2, %1\n\tvpaddb %1, %0, %0" : "+x"(count), "=x"(differ) : "x"(line), "x"(index));
  }
  static NARROW_INLINE void add_few(V& few, V& both, V& second) {
    asm("vpaddb %0, %1, %1\n\tvpsrlw $4, %0, %0\n\tvpand %3, %0, %0\n\tvpaddb %0, %2, %2"
        : "+x"(few), "+x"(both), "+x"(second)
        : "x"(_mm256_set1_epi8(15)));
  }
  static NARROW_INLINE V first_of(V both, V second) {
    return _mm256_sub_epi8(both, _mm256_slli_epi16(Vectors::nibbles<0>(second), 4));
  }
  static NARROW_INLINE void add_bytes(V v, uint16_t* sum) {
    alignas(32) char byte[32];
    _mm256_store_si256(reinterpret_cast<V*>(byte), v);
    for (int j = 0; j < 32; j += 16) {
      V* const to = reinterpret_cast<V*>(sum + j);
      *to = _mm256_add_epi16(*to, _mm256_cvtepu8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(byte + j))));
    }
  }
  static NARROW_INLINE void subtract_twice(const int32_t* from, V v, int32_t* to) {
    alignas(32) char byte[32];
    _mm256_store_si256(reinterpret_cast<V*>(byte), v);
    for (int j = 0; j < 32; j += 8)
      subtract_wide(from + j, _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(byte + j))), to + j);
  }
  static NARROW_INLINE void subtract_twice(const int32_t* from, const uint16_t* sum, int32_t* to) {
    for (int j = 0; j < 32; j += 8)
      subtract_wide(from + j, _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(sum + j))), to + j);
  }

 private:
  static NARROW_INLINE void subtract_wide(const int32_t* from, V v, int32_t* to) {
    const V sum = _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const V*>(from)), _mm256_add_epi32(v, v));
    _mm256_storeu_si256(reinterpret_cast<V*>(to), sum);
  }
};

constexpr Kernel rows[] = {binary_kernel<Bits, Simd, LookupTiles>("gemm_b1b1_4x64x8_avx2", Tier::avx2, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avx2_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
