// Sums of int8 on their way from a tile's registers to bytes of C (see Reals in src/kernel.h). Outputs are bytes often enough
// to be worth the code.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

/// The reals of one row before they are bounded.
template <int panels>
struct RowOfReals {
  __m512 scale[panels], bias[panels];
  bool whole;  // all columns are to be stored

  NARROW_INLINE RowOfReals(const Reals& by, int cols) : whole(cols == panels * 16) {
    unroll<panels>([&](int p) NARROW_LAMBDA {
      scale[p] = _mm512_loadu_ps(by.scale + p * 16);
      bias[p] = _mm512_loadu_ps(by.bias + p * 16);
    });
  }
  NARROW_INLINE __m512 real(__m512i sum, int p) const { return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale[p], bias[p]); }
};

/// A panel at a time: the shortest way for a single one.
template <int panels>
struct RowToBytes : RowOfReals<panels> {
  __m512 lo, hi;
  __m512i zero_point;
  __mmask16 last;  // columns of the last panel

  NARROW_INLINE RowToBytes(const Reals& by, int cols)
      : RowOfReals<panels>(by, cols), last(static_cast<__mmask16>((1u << (cols - (panels - 1) * 16)) - 1)) {
    lo = _mm512_set1_ps(by.lo);
    hi = _mm512_set1_ps(by.hi);
    zero_point = _mm512_set1_epi32(by.zero_point + by.top_bit);
  }
  NARROW_INLINE void operator()(const __m512i (&sum)[panels], char* to) const {
    unroll<panels>([&](int p) NARROW_LAMBDA {
      const __m512i rounded = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(this->real(sum[p], p), lo), hi));
      const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(rounded, zero_point));
      if (p < panels - 1 || this->whole)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + p * 16), bytes);
      else
        _mm_mask_storeu_epi8(to + p * 16, last, bytes);
    });
  }
};

/// Four panels together. A lane's real has no more than an upper bound, as the conversion to int32 makes INT32_MIN of all that
/// is too large; the rest is done for all of them at once, packed with saturation.
template <>
struct RowToBytes<4> : RowOfReals<4> {
  __m512 hi;
  __m512i zero_point, lo, top_bit;
  __mmask64 columns;

  NARROW_INLINE RowToBytes(const Reals& by, int cols) : RowOfReals<4>(by, cols), columns(~uint64_t{0} >> (64 - cols)) {
    hi = _mm512_set1_ps(by.hi);
    zero_point = _mm512_set1_epi16(by.zero_point);
    lo = _mm512_set1_epi8(static_cast<int8_t>(static_cast<int>(by.lo) + by.zero_point));
    top_bit = _mm512_set1_epi8(static_cast<int8_t>(by.top_bit));
  }
  NARROW_INLINE void operator()(const __m512i (&sum)[4], char* to) const {
    __m512i rounded[4];
    unroll<4>([&](int p) NARROW_LAMBDA { rounded[p] = _mm512_cvtps_epi32(_mm512_min_ps(real(sum[p], p), hi)); });
    const __m512i left = _mm512_adds_epi16(_mm512_packs_epi32(rounded[0], rounded[1]), zero_point);
    const __m512i right = _mm512_adds_epi16(_mm512_packs_epi32(rounded[2], rounded[3]), zero_point);
    const __m512i quarters = _mm512_max_epi8(_mm512_packs_epi16(left, right), lo);  // with four columns of each panel
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_xor_si512(quarters, top_bit));
    if (whole)
      _mm512_storeu_si512(to, bytes);
    else
      _mm512_mask_storeu_epi8(to, columns, bytes);
  }
};

}  // namespace
}  // namespace narrow
