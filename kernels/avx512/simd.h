// 512-bit vector arithmetic (see kernels/common/simd.h).
#pragma once

#include <immintrin.h>

#include "kernels/common/simd.h"

namespace narrow {
namespace {

struct Simd : XsimdBase<xsimd::avx512bw> {
  using Base = XsimdBase<xsimd::avx512bw>;
  using Base::load;
  using Base::store;

  static NARROW_INLINE __mmask16 first(int count) { return static_cast<__mmask16>((1u << count) - 1); }

  static NARROW_INLINE F load(const Bf16* p) { return widen_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
  static NARROW_INLINE F load(const F16* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
  static NARROW_INLINE I load(const int16_t* p) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static NARROW_INLINE I load(const int8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static NARROW_INLINE I load(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static NARROW_INLINE F load(const float* p, int count) { return _mm512_maskz_loadu_ps(first(count), p); }
  static NARROW_INLINE F load(const Bf16* p, int count) { return widen_bf16(_mm256_maskz_loadu_epi16(first(count), p)); }
  static NARROW_INLINE F load(const F16* p, int count) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count), p)); }
  static NARROW_INLINE I load(const int32_t* p, int count) { return _mm512_maskz_loadu_epi32(first(count), p); }
  static NARROW_INLINE I load(const int16_t* p, int count) {
    return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(first(count), p));
  }
  static NARROW_INLINE I load(const int8_t* p, int count) {
    return _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first(count), p));
  }
  static NARROW_INLINE I load(const uint8_t* p, int count) {
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first(count), p));
  }

  static NARROW_INLINE void store(Bf16* p, F v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_bf16(v)); }
  static NARROW_INLINE void store(F16* p, F v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_f16(v)); }
  static NARROW_INLINE void store(float* p, F v, int count) { _mm512_mask_storeu_ps(p, first(count), v); }
  static NARROW_INLINE void store(Bf16* p, F v, int count) { _mm256_mask_storeu_epi16(p, first(count), narrow_bf16(v)); }
  static NARROW_INLINE void store(F16* p, F v, int count) { _mm256_mask_storeu_epi16(p, first(count), narrow_f16(v)); }
  static NARROW_INLINE void store(int32_t* p, I v, int count) { _mm512_mask_storeu_epi32(p, first(count), v); }

  static NARROW_INLINE I sum_fours(const int8_t* p) {
    return _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_set1_epi8(1), _mm512_loadu_si512(p)), _mm512_set1_epi16(1));
  }
  static NARROW_INLINE I crossed(const int16_t* p) {
    const __m512i x = _mm512_loadu_si512(p);
    return _mm512_madd_epi16(x, _mm512_srli_epi64(x, 32));
  }
  static NARROW_INLINE I add_pairs(I a, I b) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b));
  }
  static NARROW_INLINE int32_t reduce_add(I a) { return _mm512_reduce_add_epi32(a); }
  static NARROW_INLINE int32_t reduce_max_signed(I a) { return _mm512_reduce_max_epi32(a); }
  static NARROW_INLINE uint32_t reduce_max_unsigned(I a) { return _mm512_reduce_max_epu32(a); }
  static NARROW_INLINE uint32_t mask_not_less(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
  static NARROW_INLINE uint32_t mask_not_less(I a, I b) { return _mm512_cmpge_epi32_mask(a, b); }
  static NARROW_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static NARROW_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }
  static NARROW_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }
  static NARROW_INLINE I to_int(F x) { return _mm512_cvtps_epi32(x); }

  static NARROW_INLINE I fixed_point(I sum, I multiplier, I shift) {
    const __m512i even = fixed_point_64(sum, multiplier, _mm512_and_si512(shift, _mm512_set1_epi64(0xff)));
    const __m512i odd =
        fixed_point_64(_mm512_srli_epi64(sum, 32), _mm512_srli_epi64(multiplier, 32), _mm512_srli_epi64(shift, 32));
    return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
  }

  template <class T>
  struct Narrow {
    __m512i zero_point, lo, hi;

    NARROW_INLINE Narrow(int zero_point_, int lo_, int hi_)
        : zero_point(_mm512_set1_epi16(static_cast<int16_t>(zero_point_))), lo(set1(lo_)), hi(set1(hi_)) {}

    /// The packs work on each quarter by itself: quarter q of the bytes holds quarter q of a, of b, of c, of d.
    NARROW_INLINE void store(T* p, I a, I b, I c, I d) const {
      const __m512i ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero_point);
      const __m512i cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero_point);
      if constexpr (sizeof(T) == 2) {
        const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
        _mm512_storeu_si512(p, _mm512_permutexvar_epi64(order, clamp(ab)));
        _mm512_storeu_si512(p + 32, _mm512_permutexvar_epi64(order, clamp(cd)));
      } else {
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, clamp(pack(ab, cd))));
      }
    }

    NARROW_INLINE void store(T* p, I a, int count) const {
      const __m512i words = _mm512_adds_epi16(_mm512_castsi256_si512(_mm512_cvtsepi32_epi16(a)), zero_point);
      if constexpr (sizeof(T) == 2) {
        _mm256_mask_storeu_epi16(p, first(count), _mm512_castsi512_si256(clamp(words)));
      } else {
        const __m512i order = _mm512_setr_epi64(0, 2, 1, 3, 4, 5, 6, 7);
        const __m512i bytes = _mm512_permutexvar_epi64(order, clamp(pack(words, words)));
        _mm_mask_storeu_epi8(p, first(count), _mm512_castsi512_si128(bytes));
      }
    }

   private:
    static NARROW_INLINE __m512i set1(int x) {
      if constexpr (sizeof(T) == 2)
        return _mm512_set1_epi16(static_cast<int16_t>(x));
      else
        return _mm512_set1_epi8(static_cast<char>(x));
    }
    static NARROW_INLINE __m512i pack(__m512i a, __m512i b) {
      return static_cast<T>(-1) < 0 ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b);
    }
    NARROW_INLINE __m512i clamp(__m512i x) const {
      if constexpr (sizeof(T) == 2)
        return _mm512_min_epi16(_mm512_max_epi16(x, lo), hi);
      else if constexpr (static_cast<T>(-1) < 0)
        return _mm512_min_epi8(_mm512_max_epi8(x, lo), hi);
      else
        return _mm512_min_epu8(_mm512_max_epu8(x, lo), hi);
    }
  };

 private:
  static NARROW_INLINE F widen_bf16(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
  static NARROW_INLINE __m256i narrow_bf16(F v) { return _mm512_cvtepi32_epi16(round_bf16(v)); }
  static NARROW_INLINE __m256i narrow_f16(F v) { return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

  /// For the low half of each 64-bit lane; the upper half of the result is not to be used.
  static NARROW_INLINE __m512i fixed_point_64(__m512i sum, __m512i multiplier, __m512i shift) {
    const __m512i one = _mm512_set1_epi64(1), limit = _mm512_set1_epi64(INT32_MAX);
    const __m512i product = _mm512_mul_epi32(sum, multiplier);
    const __m512i below_half = _mm512_sub_epi64(_mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one)), one);
    const __m512i odd = _mm512_and_si512(_mm512_srav_epi64(product, shift), one);
    const __m512i rounded = _mm512_srav_epi64(_mm512_add_epi64(product, _mm512_add_epi64(below_half, odd)), shift);
    return _mm512_max_epi64(_mm512_min_epi64(rounded, limit), _mm512_sub_epi64(_mm512_setzero_si512(), limit));
  }
};

}  // namespace
}  // namespace narrow
