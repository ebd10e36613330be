// The 256-bit registers that the integer tiles of the AVX2 tiers share.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/avx2/simd.h"
#include "kernels/common/to_real.h"
#include "kernels/common/unroll.h"

namespace narrow {
namespace {

struct Vector256 {
  using Acc = __m256i;
  using A = __m256i;
  using B = __m256i;
  typedef __m256i Line __attribute__((may_alias, aligned(1)));
  typedef int32_t Word __attribute__((may_alias, aligned(1)));
  static constexpr int lanes = 8, vectors = 1;
  static constexpr bool prefetches = true;
  static constexpr int crossed_rows[] = {8, 4}, crossed_from_rows = 24;  // see kernels/common/crossed.h
  static constexpr int a_bytes = 4, a_steps = 1;  // every row gives four bytes a step: 4 x u8 or 2 x s16

  static NARROW_INLINE A load_a(const char* p) {
#ifdef __clang__  // clang would make VBROADCASTSS of it, see Vector512
    A a;
    asm("vpbroadcastd %1, %0" : "=x"(a) : "m"(*reinterpret_cast<const Word*>(p)));
    return a;
#else
    int32_t four;
    memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
#endif
  }
  /// Four steps of a row, and one of them as load_a has it.
  static NARROW_INLINE A load_four(const char* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  template <int step>
  static NARROW_INLINE A quarter(A four) {
    return _mm256_shuffle_epi32(four, 0x55 * step);
  }
  static NARROW_INLINE B load(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  /// The same where it stands among other volatile assembly.
  static NARROW_INLINE B load_in_order(const char* p) {
    B b;
    asm volatile("vmovdqu %1, %0" : "=x"(b) : "m"(*reinterpret_cast<const Line*>(p)));
    return b;
  }
  /// The low (0) or the high (1) nibbles of bytes.
  template <int half>
  static NARROW_INLINE B nibbles(B pairs) {
    return _mm256_and_si256(half == 0 ? pairs : _mm256_srli_epi16(pairs, 4), _mm256_set1_epi8(15));
  }
  static NARROW_INLINE Acc zero() { return _mm256_setzero_si256(); }
  static NARROW_INLINE Acc add(Acc a, Acc b) { return _mm256_add_epi32(a, b); }
  static NARROW_INLINE Acc ones_of_16_bits() { return _mm256_set1_epi16(1); }
  static NARROW_INLINE Acc finish(Acc sum, const int32_t* init) {
    return add(sum, _mm256_loadu_si256(reinterpret_cast<const Acc*>(init)));
  }
  using ToReal = Scaling<Simd>;
  static NARROW_INLINE void store(int32_t* p, Acc v) { _mm256_storeu_si256(reinterpret_cast<Acc*>(p), v); }
  static NARROW_INLINE void store_partial(int32_t* p, Acc v, int count) {
    const Acc lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_epi32(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane), v);
  }
};

}  // namespace
}  // namespace narrow
