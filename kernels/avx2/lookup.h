// Where bytes of A find their lines in the table of lookup tiles (see kernels/common/lookup_tile.h), on all x86 tiers.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

struct LineOffsets {
  /// For each byte of the rows x and y, or of x alone where y is null, 16 times the numbers of the lines of its low and of its
  /// high four bits, [2 * bytes]. `bytes` is a multiple of 4.
  [[gnu::noinline]] static void line_offsets(const char* x, const char* y, ptrdiff_t bytes, uint16_t* to) {
    const __m128i none = _mm_setzero_si128();
    if (bytes < 16) {
      for (ptrdiff_t i = 0; i < bytes; i += 4) put<4>(_mm_loadu_si32(x + i), y ? _mm_loadu_si32(y + i) : none, to + 2 * i);
      return;
    }
    for (ptrdiff_t i = 0; i < bytes; i += 16) {
      const ptrdiff_t from = i + 16 <= bytes ? i : bytes - 16;
      put<16>(load(x + from), y ? load(y + from) : none, to + 2 * from);
    }
  }

 private:
  /// Of 4 or 16 bytes. Times 16, the four bits of x begin at the fifth bit, those of y at the ninth.
  template <int bytes>
  static NARROW_INLINE void put(__m128i x, __m128i y, uint16_t* to) {
    const __m128i low = _mm_set1_epi8(15);
    const __m128i low_x = _mm_andnot_si128(low, _mm_slli_epi16(x, 4)), low_y = _mm_and_si128(y, low);
    const __m128i high_x = _mm_andnot_si128(low, x), high_y = _mm_and_si128(_mm_srli_epi16(y, 4), low);
    put_half<bytes>(_mm_unpacklo_epi8(low_x, low_y), _mm_unpacklo_epi8(high_x, high_y), to);
    if constexpr (bytes == 16) put_half<16>(_mm_unpackhi_epi8(low_x, low_y), _mm_unpackhi_epi8(high_x, high_y), to + 16);
  }
  template <int bytes>
  static NARROW_INLINE void put_half(__m128i of_low, __m128i of_high, uint16_t* to) {
    store(to, _mm_unpacklo_epi16(of_low, of_high));
    if constexpr (bytes == 16) store(to + 8, _mm_unpackhi_epi16(of_low, of_high));
  }
  static NARROW_INLINE __m128i load(const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static NARROW_INLINE void store(uint16_t* to, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v); }
};

}  // namespace
}  // namespace narrow
