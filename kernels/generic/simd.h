// One lane: the definition of the arithmetic (see kernels/common/simd.h).
#pragma once

#include <stdint.h>

#include "kernels/common/float16.h"
#include "kernels/common/unroll.h"

namespace narrow {
namespace {

struct Simd {
  using F = float;
  using I = int32_t;
  static constexpr int width = 1;

  static NARROW_INLINE F broadcast(float x) { return x; }
  static NARROW_INLINE I broadcast(int32_t x) { return x; }

  static NARROW_INLINE F load(const float* p) { return *p; }
  static NARROW_INLINE F load(const Bf16* p) { return narrow::to_float(*p); }
  static NARROW_INLINE F load(const F16* p) { return narrow::to_float(*p); }
  static NARROW_INLINE I load(const int32_t* p) { return *p; }
  static NARROW_INLINE I load(const int16_t* p) { return *p; }
  static NARROW_INLINE I load(const int8_t* p) { return *p; }
  static NARROW_INLINE I load(const uint8_t* p) { return *p; }
  template <class T>
  static NARROW_INLINE auto load(const T* p, int) {
    return load(p);
  }
  static NARROW_INLINE void store(float* p, F x) { *p = x; }
  static NARROW_INLINE void store(Bf16* p, F x) { *p = to_bf16(x); }
  static NARROW_INLINE void store(F16* p, F x) { *p = to_f16(x); }
  static NARROW_INLINE void store(int32_t* p, I x) { *p = x; }
  template <class T, class V>
  static NARROW_INLINE void store(T* p, V x, int) {
    store(p, x);
  }

  static NARROW_INLINE F fma(F a, F b, F c) { return __builtin_fmaf(a, b, c); }
  static NARROW_INLINE F max(F a, F b) { return a > b ? a : b; }
  static NARROW_INLINE F min(F a, F b) { return a < b ? a : b; }
  static NARROW_INLINE F select_less(F a, F b, F x, F y) { return a < b ? x : y; }
  static NARROW_INLINE F nan_to_zero(F x) { return x == x ? x : 0.0f; }
  static NARROW_INLINE F to_float(I i) { return static_cast<float>(i); }
  static NARROW_INLINE I to_int(F x) { return x < -0x1p31f ? INT32_MIN : static_cast<int32_t>(__builtin_lrintf(x)); }
  static NARROW_INLINE I bits(F x) { return static_cast<int32_t>(float_bits(x)); }
  static NARROW_INLINE F from_bits(I i) { return bits_float(static_cast<uint32_t>(i)); }

  static NARROW_INLINE I add(I a, I b) { return static_cast<I>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); }
  static NARROW_INLINE I sub(I a, I b) { return static_cast<I>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b)); }
  static NARROW_INLINE I mul(I a, I b) { return static_cast<I>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b)); }
  static NARROW_INLINE I bit_and(I a, I b) { return a & b; }
  static NARROW_INLINE I bit_or(I a, I b) { return a | b; }
  static NARROW_INLINE I bit_xor(I a, I b) { return a ^ b; }
  template <int n>
  static NARROW_INLINE I shift_left(I a) {
    return static_cast<I>(static_cast<uint32_t>(a) << n);
  }
  template <int n>
  static NARROW_INLINE I shift_right(I a) {
    return static_cast<I>(static_cast<uint32_t>(a) >> n);
  }
  template <int n>
  static NARROW_INLINE I shift_right_signed(I a) {
    return a >> n;
  }
  static NARROW_INLINE I max_signed(I a, I b) { return a > b ? a : b; }
  static NARROW_INLINE I max_unsigned(I a, I b) { return static_cast<uint32_t>(a) > static_cast<uint32_t>(b) ? a : b; }
  static NARROW_INLINE uint32_t mask_not_less(F a, F b) { return a >= b; }
  static NARROW_INLINE uint32_t mask_not_less(I a, I b) { return a >= b; }
  static NARROW_INLINE I sum_fours(const int8_t* p) { return p[0] + p[1] + p[2] + p[3]; }
  static NARROW_INLINE I add_pairs(I a, I b) { return add(a, b); }
  static NARROW_INLINE int32_t reduce_max_signed(I a) { return a; }
  static NARROW_INLINE uint32_t reduce_max_unsigned(I a) { return static_cast<uint32_t>(a); }
  static NARROW_INLINE int32_t reduce_add(I a) { return a; }

  static NARROW_INLINE I fixed_point(I sum, I multiplier, I shift) {
    const int64_t product = static_cast<int64_t>(sum) * multiplier;
    const int64_t below_half = (int64_t{1} << (shift - 1)) - 1;
    const int64_t rounded = (product + below_half + (product >> shift & 1)) >> shift;
    return static_cast<I>(rounded > INT32_MAX ? INT32_MAX : rounded < -INT32_MAX ? -INT32_MAX : rounded);
  }

  template <class T>
  struct Narrow {
    int32_t zero_point, lo, hi;

    NARROW_INLINE Narrow(int zero_point_, int lo_, int hi_) : zero_point(zero_point_), lo(lo_), hi(hi_) {}
    NARROW_INLINE void store(T* p, I x, int) const {
      x = (x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x) + zero_point;
      *p = static_cast<T>(x < lo ? lo : x > hi ? hi : x);
    }
    NARROW_INLINE void store(T* p, I a, I b, I c, I d) const {
      store(p, a, 1);
      store(p + 1, b, 1);
      store(p + 2, c, 1);
      store(p + 3, d, 1);
    }
  };
};

}  // namespace
}  // namespace narrow
