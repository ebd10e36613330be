// Bits on AVX2: looked up by VPSHUFB, 32 columns at a time (see kernels/common/lookup_tile.h).
// Registers of the 4x64 tile: ymm0-7 counts, 4 for the halves of the panels' bytes, 2 rows of the table, the rest for lookups.
#include <immintrin.h>

#include "kernels/avx2/simd.h"
#include "kernels/common/binary_kernel.h"
#include "kernels/common/lookup_tile.h"

namespace narrow {
namespace {

struct Bits {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 32, .kr = 1, .k_unit = 4, .row_group = 1, .max_panels = 2, .max_rows = {8, 4}};
  using V = __m256i;

  static NARROW_INLINE V zero() { return _mm256_setzero_si256(); }
  static NARROW_INLINE V load(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const V*>(p)); }
  static NARROW_INLINE V low(V v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
  static NARROW_INLINE V high(V v) { return low(_mm256_srli_epi16(v, 4)); }
  // As assembly with a tied operand, because g++ 12 copies and spills the counts of the intrinsics.
  static NARROW_INLINE void add_lookup(V& count, V table, V index) {
    V differ;
    asm("vpshufb %3, %2, %1\n\tvpaddb %1, %0, %0" : "+x"(count), "=&x"(differ) : "x"(table), "x"(index));
  }
  static NARROW_INLINE void subtract_twice(const int32_t* from, V v, int32_t* to) {
    alignas(32) uint8_t count[32];
    _mm256_store_si256(reinterpret_cast<V*>(count), v);
    for (int j = 0; j < 32; j += 8) {
      const V wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(count + j)));
      const V sum = _mm256_sub_epi32(load(reinterpret_cast<const char*>(from + j)), _mm256_add_epi32(wide, wide));
      _mm256_storeu_si256(reinterpret_cast<V*>(to + j), sum);
    }
  }
};

constexpr Kernel rows[] = {binary_kernel<Bits, Simd, LookupTiles>("gemm_b1b1_4x64x8_avx2", Tier::avx2, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avx2_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
