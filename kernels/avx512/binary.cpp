// Bits on AVX-512BW without VPOPCNTDQ: looked up by VPSHUFB, 64 columns at a time (see kernels/common/lookup_tile.h).
// Registers of the 12x64 tile: zmm0-11 counts, 2 for the halves of the panel's bytes, the rest for rows of the table and
// lookups.
#include <immintrin.h>

#include "kernels/avx512/simd.h"
#include "kernels/common/binary_kernel.h"
#include "kernels/common/lookup_tile.h"

namespace narrow {
namespace {

struct Bits {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 64, .kr = 1, .k_unit = 4, .row_group = 1, .max_panels = 1, .max_rows = {12}};
  using V = __m512i;

  static NARROW_INLINE V zero() { return _mm512_setzero_si512(); }
  static NARROW_INLINE V load(const char* p) { return _mm512_loadu_si512(p); }
  static NARROW_INLINE V low(V v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
  static NARROW_INLINE V high(V v) { return low(_mm512_srli_epi16(v, 4)); }
  // As assembly with a tied operand, because g++ 12 copies and spills the counts of the intrinsics.
  static NARROW_INLINE void add_lookup(V& count, V table, V index) {
    V differ;
    asm("vpshufb %3, %2, %1\n\tvpaddb %1, %0, %0" : "+v"(count), "=&v"(differ) : "v"(table), "v"(index));
  }
  static NARROW_INLINE void subtract_twice(const int32_t* from, V v, int32_t* to) {
    alignas(64) uint8_t count[64];
    _mm512_store_si512(count, v);
    for (int j = 0; j < 64; j += 16) {
      const V wide = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(count + j)));
      _mm512_storeu_si512(to + j, _mm512_sub_epi32(_mm512_loadu_si512(from + j), _mm512_add_epi32(wide, wide)));
    }
  }
};

constexpr Kernel rows[] = {
    binary_kernel<Bits, Simd, LookupTiles>("gemm_b1b1_12x64x8_avx512", Tier::avx512, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
