// Vector arithmetic, one policy class `Simd` for each register width, in kernels/<tier>/simd.h. Packing and epilogues are
// written once over it. The scalar policy (kernels/generic/simd.h) is the definition; all others give the same bits, in the
// default floating-point environment (src/default_floats.h). The payload and sign of a NaN are the one thing left open.
//
//   width                       lanes
//   F, I                        vectors of float and int32_t. F has the operators + - * (IEEE, each rounded by itself);
//                               integers go by the functions below, because scalar overflow would be undefined
//   broadcast(x)                float -> F, int32_t -> I
//   load(p), load(p, count)     float, Bf16, F16 -> F; int32_t, int16_t, int8_t, uint8_t -> I (widening). 1 <= count <= width:
//   store(p, v), store(p, v, count)  nothing beyond p[count - 1] is touched, missing lanes read as 0.
//                               Stores take float, Bf16, F16 (rounding to nearest, ties to even) from F, and int32_t from I
//
//   fma(a, b, c)                a * b + c rounded once
//   max(a, b), min(a, b)        a > b ? a : b and a < b ? a : b: with a NaN, or zeros of both signs, it is b
//   select_less(a, b, x, y)     a < b ? x : y
//   nan_to_zero(x)              x == x ? x : 0
//   to_float(i)                 rounded to nearest, ties to even
//   to_int(x)                   rounded to nearest, ties to even; x < 2^31; where x < -2^31 it is -2^31
//   bits(x), from_bits(i)       reinterpretation
//
//   add, sub, mul               modulo 2^32
//   bit_and, bit_or, bit_xor
//   shift_left<n>, shift_right<n> (zeros come in), shift_right_signed<n> (copies of the sign)
//   max_signed, max_unsigned
//   mask_not_less(a, b)         uint32_t, bit i: a >= b in lane i, of F (false for a NaN) or I
//   sum_fours(p)                int8_t -> I, lane i: p[4 i] + ... + p[4 i + 3]
//   add_pairs(a, b)             sums of neighbours: a[0] + a[1], a[2] + a[3], ... b[0] + b[1], ...; where width is 1, a + b
//   crossed(p)                  may be there. int16_t -> I, whose sum is that of p[4 i] * p[4 i + 2] + p[4 i + 1] * p[4 i + 3]
//                               for all 4 i < 2 * width
//   reduce_max_signed(i), reduce_max_unsigned(i) -> int32_t, uint32_t;  reduce_add(i) -> int32_t, modulo 2^32
//
//   fixed_point(sum, multiplier, shift)   sum * multiplier / 2^shift, exact and then rounded once to nearest, ties to even;
//                               results beyond 2^31 - 1 in magnitude saturate to any value beyond 2^16
//   Narrow<T>(zero_point, lo, hi)         for T = uint8_t, int8_t, int16_t, |zero_point| <= 256, lo and hi values of T:
//     .store(p, a, b, c, d)     4 * width values clamp(saturate_T(saturate_int16(x) + zero_point), lo, hi),
//     .store(p, a, count)       or the first `count` of one vector. (For T = int16_t the sum saturates in 16 bits.)
//
// What xsimd has is taken from there, for all vector tiers at once, by the class below. Beside it stand intrinsics for what
// xsimd 8.1 lacks (partial vectors, narrowing, 16-bit floats) or does otherwise (its AVX-512 fma is a multiply and an add).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <xsimd/xsimd.hpp>

#include "kernels/common/float16.h"
#include "kernels/common/unroll.h"

namespace narrow {
namespace {

template <class Arch>
struct XsimdBase {
  using F = xsimd::batch<float, Arch>;
  using I = xsimd::batch<int32_t, Arch>;
  using U = xsimd::batch<uint32_t, Arch>;
  static constexpr int width = F::size;

  static NARROW_INLINE F broadcast(float x) { return F(x); }
  static NARROW_INLINE I broadcast(int32_t x) { return I(x); }
  static NARROW_INLINE F load(const float* p) { return F::load_unaligned(p); }
  static NARROW_INLINE I load(const int32_t* p) { return I::load_unaligned(p); }
  static NARROW_INLINE void store(float* p, F v) { v.store_unaligned(p); }
  static NARROW_INLINE void store(int32_t* p, I v) { v.store_unaligned(p); }

  static NARROW_INLINE F select_less(F a, F b, F x, F y) { return xsimd::select(a < b, x, y); }
  static NARROW_INLINE F nan_to_zero(F x) { return xsimd::select(x == x, x, F(0.0f)); }
  static NARROW_INLINE F to_float(I i) { return xsimd::to_float(i); }
  // Not by xsimd::bitwise_cast, whose parameter was a batch before version 10 and is an element since.
  static NARROW_INLINE I bits(F x) { return __builtin_bit_cast(I, x); }
  static NARROW_INLINE F from_bits(I i) { return __builtin_bit_cast(F, i); }

  static NARROW_INLINE I add(I a, I b) { return a + b; }
  static NARROW_INLINE I sub(I a, I b) { return a - b; }
  static NARROW_INLINE I mul(I a, I b) { return a * b; }
  static NARROW_INLINE I bit_and(I a, I b) { return a & b; }
  static NARROW_INLINE I bit_or(I a, I b) { return a | b; }
  static NARROW_INLINE I bit_xor(I a, I b) { return a ^ b; }
  template <int n>
  static NARROW_INLINE I shift_left(I a) {
    return a << n;
  }
  template <int n>
  static NARROW_INLINE I shift_right(I a) {
    return __builtin_bit_cast(I, __builtin_bit_cast(U, a) >> n);
  }
  template <int n>
  static NARROW_INLINE I shift_right_signed(I a) {
    return a >> n;
  }
  static NARROW_INLINE I max_signed(I a, I b) { return xsimd::max(a, b); }
  static NARROW_INLINE I max_unsigned(I a, I b) {
    return __builtin_bit_cast(I, xsimd::max(__builtin_bit_cast(U, a), __builtin_bit_cast(U, b)));
  }

 protected:
  /// The bf16 nearest to x, in the low half of each lane; as to_bf16.
  static NARROW_INLINE I round_bf16(F x) {
    const I b = bits(x), high = shift_right<16>(b);
    const I rounded = shift_right<16>(add(add(b, I(0x7fff)), bit_and(high, I(1))));
    return xsimd::select(bit_and(b, I(0x7fffffff)) > I(0x7f800000), bit_or(high, I(0x40)), rounded);
  }

  /// For partial vectors of elements that the tier cannot mask: by way of a whole vector in memory.
  template <class T>
  struct Buffer {
    alignas(64) T lane[width] = {};

    NARROW_INLINE Buffer() = default;
    NARROW_INLINE Buffer(const T* p, int count) {
      for (int i = 0; i < count; ++i) lane[i] = p[i];
    }
    NARROW_INLINE void copy(T* p, int count) const {
      for (int i = 0; i < count; ++i) p[i] = lane[i];
    }
  };
};

}  // namespace
}  // namespace narrow
