// The 512-bit registers that the integer tiles of the AVX-512 tiers share.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/avx512/simd.h"
#include "kernels/common/to_real.h"
#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

struct Vector512 {
  using Acc = __m512i;
  using A = __m512i;
  using B = __m512i;
  static constexpr int lanes = 16, vectors = 1;
  static constexpr bool prefetches = true;
  static constexpr int crossed_rows[] = {12, 12}, crossed_from_rows = 17;  // see kernels/common/crossed.h
  typedef __m512i Line __attribute__((may_alias, aligned(1)));
  typedef int32_t Word __attribute__((may_alias, aligned(1)));
  static constexpr int a_bytes = 4, a_steps = 1;  // every row gives four bytes a step: 4 x u8 or 2 x s16

  static NARROW_INLINE A load_a(const char* p) {
#ifdef __clang__  // clang would make VBROADCASTSS of it, which on Zen 4 takes a port of the dots (7 to 15 %)
    A a;
    asm("vpbroadcastd %1, %0" : "=v"(a) : "m"(*reinterpret_cast<const Word*>(p)));
    return a;
#else
    int32_t four;
    memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
#endif
  }
  /// Four steps of a row, and one of them as load_a has it.
  static NARROW_INLINE A load_four(const char* p) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  template <int step>
  static NARROW_INLINE A quarter(A four) {
    return _mm512_shuffle_epi32(four, static_cast<_MM_PERM_ENUM>(0x55 * step));
  }
  /// Like load_a where it stands among other volatile assembly: the compiler does not gather the loads of several rows.
  static NARROW_INLINE A load_a_in_order(const char* p) {
    A a;
    asm volatile("vpbroadcastd %1, %0" : "=v"(a) : "m"(*reinterpret_cast<const Word*>(p)));
    return a;
  }
  static NARROW_INLINE B load(const char* p) { return _mm512_loadu_si512(p); }
  /// The same, likewise in order.
  static NARROW_INLINE B load_in_order(const char* p) {
    B b;
    asm volatile("vmovdqu64 %1, %0" : "=v"(b) : "m"(*reinterpret_cast<const Line*>(p)));
    return b;
  }
  /// The low (0) or the high (1) nibbles of bytes.
  template <int half>
  static NARROW_INLINE B nibbles(B pairs) {
    return _mm512_and_si512(half == 0 ? pairs : _mm512_srli_epi16(pairs, 4), _mm512_set1_epi8(15));
  }
  static NARROW_INLINE Acc zero() { return _mm512_setzero_si512(); }
  static NARROW_INLINE Acc add(Acc a, Acc b) { return _mm512_add_epi32(a, b); }
  static NARROW_INLINE Acc ones_of_16_bits() { return _mm512_set1_epi16(1); }
  static NARROW_INLINE Acc finish(Acc sum, const int32_t* init) { return add(sum, _mm512_loadu_si512(init)); }
  using ToReal = Scaling<Simd>;
  static NARROW_INLINE void store(int32_t* p, Acc v) { _mm512_storeu_si512(p, v); }
  static NARROW_INLINE void store_partial(int32_t* p, Acc v, int count) {
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << count) - 1), v);
  }
};

}  // namespace
}  // namespace narrow
