// What the kernels for bits on AVX-512 with running operands share (see Geometry::running): 16 columns of 32 bits to a
// register, and A as a pointer, whose words are broadcast where they are used.
#pragma once

#include <stddef.h>

#include "kernels/avx512/vector.h"

namespace narrow {
namespace {

struct RunningVectors : Vector512 {
  using A = const char*;
  static constexpr int in_flight = 1;
  static constexpr bool prefetches = false;

  static NARROW_INLINE A load_a(const char* p) { return p; }
  static NARROW_INLINE const Word& word(A a, int i) { return *reinterpret_cast<const Word*>(a + 4 * i); }

  /// `steps` vectors of a panel -> their running xor.
  static void run_panel(char* panel, ptrdiff_t steps) {
    __m512i sum = _mm512_setzero_si512();
    for (; steps > 0; --steps, panel += 64) {
      sum = _mm512_xor_si512(sum, _mm512_loadu_si512(panel));
      _mm512_storeu_si512(panel, sum);
    }
  }
  /// `bytes` of a row, and zeros up to `padded` -> the running xor of its words.
  static void run_row(const char* from, ptrdiff_t bytes, ptrdiff_t padded, char* to) {
    const __m512i none = _mm512_setzero_si512(), last = _mm512_set1_epi32(15);
    __m512i before = none;  // the last word so far, in all lanes
    auto run = [&](__m512i v) NARROW_LAMBDA {
      v = _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 15));
      v = _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 14));
      v = _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 12));
      v = _mm512_ternarylogic_epi64(v, _mm512_alignr_epi32(v, none, 8), before, 0x96);
      before = _mm512_permutexvar_epi32(last, v);
      return v;
    };
    ptrdiff_t at = 0;
    for (; bytes - at >= 64; at += 64) _mm512_storeu_si512(to + at, run(_mm512_loadu_si512(from + at)));
    if (at == padded) return;
    const auto mask = [](ptrdiff_t count) {
      return count >= 64 ? ~uint64_t{0} : count > 0 ? ~uint64_t{0} >> (64 - count) : 0;
    };
    _mm512_mask_storeu_epi8(to + at, mask(padded - at), run(_mm512_maskz_loadu_epi8(mask(bytes - at), from + at)));
  }
};

}  // namespace
}  // namespace narrow
