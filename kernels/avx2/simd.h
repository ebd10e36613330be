// 256-bit vector arithmetic (see kernels/common/simd.h).
#pragma once

#include <immintrin.h>

#include "kernels/common/simd.h"

namespace narrow {
namespace {

struct Simd : XsimdBase<xsimd::fma3<xsimd::avx2>> {
  using Base = XsimdBase<xsimd::fma3<xsimd::avx2>>;
  using Base::load;
  using Base::store;

  static NARROW_INLINE F load(const Bf16* p) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
  }
  static NARROW_INLINE F load(const F16* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static NARROW_INLINE I load(const int16_t* p) {
    return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static NARROW_INLINE I load(const int8_t* p) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static NARROW_INLINE I load(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static NARROW_INLINE F load(const float* p, int count) { return _mm256_maskload_ps(p, first(count)); }
  static NARROW_INLINE I load(const int32_t* p, int count) { return _mm256_maskload_epi32(p, first(count)); }
  template <class T>
  static NARROW_INLINE auto load(const T* p, int count) {
    return load(Buffer<T>(p, count).lane);
  }

  static NARROW_INLINE void store(Bf16* p, F v) {
    const __m256i words = round_bf16(v);  // at most 0xffff in each lane, so the unsigned pack changes nothing
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  static NARROW_INLINE void store(F16* p, F v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static NARROW_INLINE void store(float* p, F v, int count) { _mm256_maskstore_ps(p, first(count), v); }
  static NARROW_INLINE void store(int32_t* p, I v, int count) { _mm256_maskstore_epi32(p, first(count), v); }
  template <class T>
  static NARROW_INLINE void store(T* p, F v, int count) {
    Buffer<T> buffer;
    store(buffer.lane, v);
    buffer.copy(p, count);
  }

  static NARROW_INLINE I sum_fours(const int8_t* p) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
  }
  static NARROW_INLINE I crossed(const int16_t* p) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_madd_epi16(x, _mm256_srli_epi64(x, 32));
  }
  static NARROW_INLINE I add_pairs(I a, I b) { return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8); }
  static NARROW_INLINE int32_t reduce_add(I a) {
    return reduce(a, [](__m128i x, __m128i y) NARROW_LAMBDA { return _mm_add_epi32(x, y); });
  }
  static NARROW_INLINE int32_t reduce_max_signed(I a) {
    return reduce(a, [](__m128i x, __m128i y) NARROW_LAMBDA { return _mm_max_epi32(x, y); });
  }
  static NARROW_INLINE uint32_t reduce_max_unsigned(I a) {
    return static_cast<uint32_t>(reduce(a, [](__m128i x, __m128i y) NARROW_LAMBDA { return _mm_max_epu32(x, y); }));
  }
  static NARROW_INLINE uint32_t mask_not_less(F a, F b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
  }
  static NARROW_INLINE uint32_t mask_not_less(I a, I b) {
    return 0xff ^ static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a))));
  }
  static NARROW_INLINE F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static NARROW_INLINE F max(F a, F b) { return _mm256_max_ps(a, b); }
  static NARROW_INLINE F min(F a, F b) { return _mm256_min_ps(a, b); }
  static NARROW_INLINE I to_int(F x) { return _mm256_cvtps_epi32(x); }

  /// On magnitudes, since AVX2 has no arithmetic shift of 64 bits; rounding to even is symmetric.
  static NARROW_INLINE I fixed_point(I sum, I multiplier, I shift) {
    const __m256i magnitude = _mm256_abs_epi32(sum);
    const __m256i even = fixed_point_64(magnitude, multiplier, _mm256_and_si256(shift, _mm256_set1_epi64x(0xff)));
    const __m256i odd =
        fixed_point_64(_mm256_srli_epi64(magnitude, 32), _mm256_srli_epi64(multiplier, 32), _mm256_srli_epi64(shift, 32));
    return _mm256_sign_epi32(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa), sum);
  }

  template <class T>
  struct Narrow {
    __m256i zero_point, lo, hi;

    NARROW_INLINE Narrow(int zero_point_, int lo_, int hi_)
        : zero_point(_mm256_set1_epi16(static_cast<int16_t>(zero_point_))), lo(set1(lo_)), hi(set1(hi_)) {}

    /// The packs work on each half by itself: half h of the bytes holds half h of a, of b, of c, of d.
    NARROW_INLINE void store(T* p, I a, I b, I c, I d) const {
      const __m256i ab = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero_point);
      const __m256i cd = _mm256_adds_epi16(_mm256_packs_epi32(c, d), zero_point);
      __m256i* out = reinterpret_cast<__m256i*>(p);
      if constexpr (sizeof(T) == 2) {
        _mm256_storeu_si256(out, _mm256_permute4x64_epi64(clamp(ab), 0xd8));
        _mm256_storeu_si256(out + 1, _mm256_permute4x64_epi64(clamp(cd), 0xd8));
      } else {
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_si256(out, _mm256_permutevar8x32_epi32(clamp(pack(ab, cd)), order));
      }
    }

    NARROW_INLINE void store(T* p, I a, int count) const {
      Buffer<T> whole;
      __m256i words = _mm256_adds_epi16(_mm256_permute4x64_epi64(_mm256_packs_epi32(a, a), 0xd8), zero_point);
      if constexpr (sizeof(T) == 2) {
        _mm_store_si128(reinterpret_cast<__m128i*>(whole.lane), _mm256_castsi256_si128(clamp(words)));
      } else {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(whole.lane), _mm256_castsi256_si128(clamp(pack(words, words))));
      }
      whole.copy(p, count);
    }

   private:
    static NARROW_INLINE __m256i set1(int x) {
      if constexpr (sizeof(T) == 2)
        return _mm256_set1_epi16(static_cast<int16_t>(x));
      else
        return _mm256_set1_epi8(static_cast<char>(x));
    }
    static NARROW_INLINE __m256i pack(__m256i a, __m256i b) {
      return static_cast<T>(-1) < 0 ? _mm256_packs_epi16(a, b) : _mm256_packus_epi16(a, b);
    }
    NARROW_INLINE __m256i clamp(__m256i x) const {
      if constexpr (sizeof(T) == 2)
        return _mm256_min_epi16(_mm256_max_epi16(x, lo), hi);
      else if constexpr (static_cast<T>(-1) < 0)
        return _mm256_min_epi8(_mm256_max_epi8(x, lo), hi);
      else
        return _mm256_min_epu8(_mm256_max_epu8(x, lo), hi);
    }
  };

 private:
  template <class Combine>
  static NARROW_INLINE int32_t reduce(I a, Combine combine) {
    __m128i x = combine(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    x = combine(x, _mm_unpackhi_epi64(x, x));
    return _mm_cvtsi128_si32(combine(x, _mm_shuffle_epi32(x, 1)));
  }

  /// All bits set in the first `count` lanes.
  static NARROW_INLINE __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  /// For the low half of each 64-bit lane, of which the upper half of the result is zero.
  static NARROW_INLINE __m256i fixed_point_64(__m256i magnitude, __m256i multiplier, __m256i shift) {
    const __m256i one = _mm256_set1_epi64x(1), limit = _mm256_set1_epi64x(INT32_MAX);
    const __m256i product = _mm256_mul_epu32(magnitude, multiplier);
    const __m256i below_half = _mm256_sub_epi64(_mm256_sllv_epi64(one, _mm256_sub_epi64(shift, one)), one);
    const __m256i odd = _mm256_and_si256(_mm256_srlv_epi64(product, shift), one);
    const __m256i rounded = _mm256_srlv_epi64(_mm256_add_epi64(product, _mm256_add_epi64(below_half, odd)), shift);
    return _mm256_blendv_epi8(rounded, limit, _mm256_cmpgt_epi64(rounded, limit));
  }
};

}  // namespace
}  // namespace narrow
