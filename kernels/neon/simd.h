// 128-bit vector arithmetic (see kernels/common/simd.h) of all Arm tiers.
#pragma once

#include <arm_neon.h>
#include <string.h>

#include "kernels/common/simd.h"

namespace narrow {
namespace {

struct Simd : XsimdBase<xsimd::neon64> {
  using Base = XsimdBase<xsimd::neon64>;
  using Base::load;
  using Base::store;

  static NARROW_INLINE F load(const Bf16* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p)), 16));
  }
  static NARROW_INLINE F load(const F16* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p))));
  }
  static NARROW_INLINE I load(const int16_t* p) { return vmovl_s16(vld1_s16(p)); }
  static NARROW_INLINE I load(const int8_t* p) { return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(four_bytes(p))))); }
  static NARROW_INLINE I load(const uint8_t* p) {
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(four_bytes(p))))));
  }
  template <class T>
  static NARROW_INLINE auto load(const T* p, int count) {
    return count == width ? load(p) : load(Buffer<T>(p, count).lane);
  }

  static NARROW_INLINE void store(Bf16* p, F v) {
    const uint32x4_t b = vreinterpretq_u32_f32(v), magnitude = vbicq_u32(b, vdupq_n_u32(0x80000000));
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(b, 16), vdupq_n_u32(1));
    const uint16x4_t rounded = vaddhn_u32(b, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint16x4_t quiet = vorr_u16(vshrn_n_u32(b, 16), vdup_n_u16(0x40));
    const uint16x4_t nan = vmovn_u32(vcgtq_u32(magnitude, vdupq_n_u32(0x7f800000)));
    vst1_u16(reinterpret_cast<uint16_t*>(p), vbsl_u16(nan, quiet, rounded));
  }
  static NARROW_INLINE void store(F16* p, F v) {
    vst1_u16(reinterpret_cast<uint16_t*>(p), vreinterpret_u16_f16(vcvt_f16_f32(v)));
  }
  template <class T, class V>
  static NARROW_INLINE void store(T* p, V v, int count) {
    if (count == width) return store(p, v);
    Buffer<T> buffer;
    store(buffer.lane, v);
    buffer.copy(p, count);
  }

  static NARROW_INLINE uint32_t mask_not_less(F a, F b) { return mask(vcgeq_f32(a, b)); }
  static NARROW_INLINE uint32_t mask_not_less(I a, I b) { return mask(vcgeq_s32(a, b)); }
  static NARROW_INLINE uint32_t mask(uint32x4_t all_ones) {
    const uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(all_ones, bit));
  }
  static NARROW_INLINE int32_t reduce_add(I a) { return vaddvq_s32(a); }
  static NARROW_INLINE int32_t reduce_max_signed(I a) { return vmaxvq_s32(a); }
  static NARROW_INLINE uint32_t reduce_max_unsigned(I a) { return vmaxvq_u32(vreinterpretq_u32_s32(a)); }
  static NARROW_INLINE I sum_fours(const int8_t* p) { return vpaddlq_s16(vpaddlq_s8(vld1q_s8(p))); }
  static NARROW_INLINE I add_pairs(I a, I b) { return vpaddq_s32(a, b); }
  static NARROW_INLINE F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  // FMAX and FMIN give a NaN for a NaN and order the zeros; the definition does neither.
  static NARROW_INLINE F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static NARROW_INLINE F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static NARROW_INLINE I to_int(F x) { return vcvtnq_s32_f32(x); }

  // What follows xsimd 8.1 does by way of tables of functions, or by comparing the count with every constant in turn.
  static NARROW_INLINE I bits(F x) { return vreinterpretq_s32_f32(x); }
  static NARROW_INLINE F from_bits(I i) { return vreinterpretq_f32_s32(i); }
  static NARROW_INLINE I max_unsigned(I a, I b) {
    return vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)));
  }
  template <int n>
  static NARROW_INLINE I shift_left(I a) {
    return vshlq_n_s32(a, n);
  }
  template <int n>
  static NARROW_INLINE I shift_right(I a) {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), n));
  }
  template <int n>
  static NARROW_INLINE I shift_right_signed(I a) {
    return vshrq_n_s32(a, n);
  }

  static NARROW_INLINE I fixed_point(I sum, I multiplier, I shift) {
    const int32x4_t s = sum, m = multiplier, h = shift;
    const int64x2_t low = fixed_point_64(vmull_s32(vget_low_s32(s), vget_low_s32(m)), vmovl_s32(vget_low_s32(h)));
    const int64x2_t high = fixed_point_64(vmull_high_s32(s, m), vmovl_high_s32(h));
    return vqmovn_high_s64(vqmovn_s64(low), high);
  }

  template <class T>
  struct Narrow {
    static constexpr bool is_signed = static_cast<T>(-1) < 0;
    int16x8_t zero_point, lo, hi;  // lo and hi as whole registers of T

    NARROW_INLINE Narrow(int zero_point_, int lo_, int hi_)
        : zero_point(vdupq_n_s16(static_cast<int16_t>(zero_point_))), lo(set1(lo_)), hi(set1(hi_)) {}

    NARROW_INLINE void store(T* p, I a, I b, I c, I d) const {
      const int16x8_t ab = words(a, b), cd = words(c, d);
      if constexpr (sizeof(T) == 2) {
        vst1q_s16(p, clamp(ab));
        vst1q_s16(p + 8, clamp(cd));
      } else {
        const int16x8_t bytes = clamp(pack(ab, cd));
        memcpy(p, &bytes, 16);
      }
    }

    NARROW_INLINE void store(T* p, I a, int count) const {
      int16x8_t whole = words(a, a);
      if constexpr (sizeof(T) == 1) whole = pack(whole, whole);
      whole = clamp(whole);
      if (count == width) {
        memcpy(p, &whole, width * sizeof(T));
      } else {
        T lane[16 / sizeof(T)];
        memcpy(lane, &whole, 16);
        for (int i = 0; i < count; ++i) p[i] = lane[i];
      }
    }

   private:
    static NARROW_INLINE int16x8_t set1(int x) {
      if constexpr (sizeof(T) == 2) return vdupq_n_s16(static_cast<int16_t>(x));
      else return vreinterpretq_s16_s8(vdupq_n_s8(static_cast<int8_t>(x)));
    }
    NARROW_INLINE int16x8_t words(I a, I b) const { return vqaddq_s16(vqmovn_high_s32(vqmovn_s32(a), b), zero_point); }
    static NARROW_INLINE int16x8_t pack(int16x8_t a, int16x8_t b) {
      if constexpr (is_signed) return vreinterpretq_s16_s8(vqmovn_high_s16(vqmovn_s16(a), b));
      else return vreinterpretq_s16_u8(vqmovun_high_s16(vqmovun_s16(a), b));
    }
    NARROW_INLINE int16x8_t clamp(int16x8_t x) const {
      if constexpr (sizeof(T) == 2) {
        return vminq_s16(vmaxq_s16(x, lo), hi);
      } else if constexpr (is_signed) {
        const int8x16_t at_least = vmaxq_s8(vreinterpretq_s8_s16(x), vreinterpretq_s8_s16(lo));
        return vreinterpretq_s16_s8(vminq_s8(at_least, vreinterpretq_s8_s16(hi)));
      } else {
        const uint8x16_t at_least = vmaxq_u8(vreinterpretq_u8_s16(x), vreinterpretq_u8_s16(lo));
        return vreinterpretq_s16_u8(vminq_u8(at_least, vreinterpretq_u8_s16(hi)));
      }
    }
  };

 private:
  static NARROW_INLINE uint32x2_t four_bytes(const void* p) {
    uint32_t bytes;
    memcpy(&bytes, p, 4);
    return vdup_n_u32(bytes);
  }

  /// product / 2^shift to nearest, ties to even.
  static NARROW_INLINE int64x2_t fixed_point_64(int64x2_t product, int64x2_t shift) {
    const int64x2_t one = vdupq_n_s64(1);
    const int64x2_t below_half = vsubq_s64(vshlq_s64(one, vsubq_s64(shift, one)), one);
    const int64x2_t right = vnegq_s64(shift);
    const int64x2_t odd = vandq_s64(vshlq_s64(product, right), one);
    return vshlq_s64(vaddq_s64(product, vaddq_s64(below_half, odd)), right);
  }
};

}  // namespace
}  // namespace narrow
