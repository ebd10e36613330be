// Bits on AVX-512BW without VPOPCNTDQ. Convolutions and short products: looked up by VPSHUFB, 64 columns at a time (see
// kernels/common/lookup_tile.h). Registers of the 12x64 tile: zmm0-11 counts, 6 for what is to be added to them, 1 for the
// panel's four bits, the rest for lines of the table and what is looked up there.
#include <immintrin.h>

#include "kernels/avx2/lookup.h"
#include "kernels/avx512/running.h"
#include "kernels/avx512/simd.h"
#include "kernels/common/binary_kernel.h"
#include "kernels/common/lookup_tile.h"

namespace narrow {
namespace {

struct Bits : LineOffsets {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 64, .kr = 1, .k_unit = 4, .row_group = 1, .max_panels = 1, .max_rows = {12}};
  using V = __m512i;
  using Vectors = Vector512;

  static NARROW_INLINE V lookup(V line, V index) { return _mm512_shuffle_epi8(line, index); }
  // As assembly with tied operands, because g++ 12 copies and spills the counts of the intrinsics, or gathers what is to be
  // added to them.
  static NARROW_INLINE void add_lookup(V& count, V line, V index) {
    V differ;
    asm("vpshufb %3, %2, %1\n\tvpaddb %1, %0, %0" : "+v"(count), "=v"(differ) : "v"(line), "v"(index));
  }
  static NARROW_INLINE void add_few(V& few, V& both, V& second) {
    asm("vpaddb %0, %1, %1\n\tvpsrlw $4, %0, %0\n\tvpandd %3, %0, %0\n\tvpaddb %0, %2, %2"
        : "+v"(few), "+v"(both), "+v"(second)
        : "v"(_mm512_set1_epi8(15)));
  }
  static NARROW_INLINE V first_of(V both, V second) {
    return _mm512_sub_epi8(both, _mm512_slli_epi16(Vectors::nibbles<0>(second), 4));
  }
  static NARROW_INLINE void add_bytes(V v, uint16_t* sum) {
    alignas(64) char byte[64];
    _mm512_store_si512(byte, v);
    for (int j = 0; j < 64; j += 32) {
      const V wide = _mm512_cvtepu8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(byte + j)));
      _mm512_store_si512(sum + j, _mm512_add_epi16(_mm512_load_si512(sum + j), wide));
    }
  }
  static NARROW_INLINE void subtract_twice(const int32_t* from, V v, int32_t* to) {
    alignas(64) char byte[64];
    _mm512_store_si512(byte, v);
    for (int j = 0; j < 64; j += 16)
      subtract_wide(from + j, _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(byte + j))), to + j);
  }
  static NARROW_INLINE void subtract_twice(const int32_t* from, const uint16_t* sum, int32_t* to) {
    for (int j = 0; j < 64; j += 16)
      subtract_wide(from + j, _mm512_cvtepu16_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(sum + j))), to + j);
  }

 private:
  static NARROW_INLINE void subtract_wide(const int32_t* from, V v, int32_t* to) {
    _mm512_storeu_si512(to, _mm512_sub_epi32(_mm512_loadu_si512(from), _mm512_add_epi32(v, v)));
  }
};

/// The panels that Running's are made of.
struct Words : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 16, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 1, .max_rows = {1}};
};

/// Products of a long k: running operands (see Geometry::running), eight steps at a time. Their four carries are worth two
/// each; carry-save adders (after Harley and Seal) make of them, and of what is left from before, two that are worth four, then
/// one that is worth eight, and only that one is counted. 27 operations for eight steps; a count alone takes nine.
///
/// Registers of the 4x16 tile: 16 sums, 8 for the panel's steps, the rest for constants and what passes between the operations.
struct Running : RunningVectors {
  using V = __m512i;
  struct Acc {
    V counts, ones, twos, fours;
  };
  struct B {
    V step[8];
  };
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 16, .kr = 32, .k_unit = 32, .row_group = 1, .max_panels = 1, .max_rows = {4}, .running = true};
  static constexpr int step_bytes = 512, a_bytes = 32;

  static NARROW_INLINE B load_b(const char* p) {
    B b;
    unroll<8>([&](int i) NARROW_LAMBDA { b.step[i] = load(p + 64 * i); });
    return b;
  }
  static NARROW_INLINE Acc zero() { return {Vector512::zero(), Vector512::zero(), Vector512::zero(), Vector512::zero()}; }
  static NARROW_INLINE V differ_at(A a, const B& b, int i) {
    return _mm512_xor_si512(_mm512_set1_epi32(word(a, i)), b.step[i]);
  }
  /// sum += a + b; the carry.
  static NARROW_INLINE V add_bits(V& sum, V a, V b) {
    const V carry = _mm512_ternarylogic_epi32(sum, a, b, 0xe8);
    sum = _mm512_ternarylogic_epi32(sum, a, b, 0x96);
    return carry;
  }
  /// The carry of the steps i and i + 1.
  static NARROW_INLINE V carry_of(V& sum, A a, const B& b, int i) {
    const V middle = differ_at(a, b, i), end = differ_at(a, b, i + 1);
    const V carry = _mm512_ternarylogic_epi32(middle, sum, end, 0x5c);
    sum = end;
    return carry;
  }
  /// `worth` times the bits that are set in each byte.
  template <int worth>
  static NARROW_INLINE V count(V v) {
    constexpr auto counts = [](int first) {
      int word = 0;
      for (int i = 3; i >= 0; --i) word = word << 8 | worth * __builtin_popcount(first + i);
      return word;
    };
    const V table = _mm512_set4_epi32(counts(12), counts(8), counts(4), counts(0));
    return _mm512_add_epi8(_mm512_shuffle_epi8(table, nibbles<0>(v)), _mm512_shuffle_epi8(table, nibbles<1>(v)));
  }
  static NARROW_INLINE V add_bytes(V sum, V bytes) {
    const V pairs = _mm512_maddubs_epi16(bytes, _mm512_set1_epi8(1));
    return add(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, const B& b) {
    const V two_0 = carry_of(acc.ones, a, b, 0), two_1 = carry_of(acc.ones, a, b, 2);
    const V four_0 = add_bits(acc.twos, two_0, two_1);
    const V two_2 = carry_of(acc.ones, a, b, 4), two_3 = carry_of(acc.ones, a, b, 6);
    const V four_1 = add_bits(acc.twos, two_2, two_3);
    acc.counts = add_bytes(acc.counts, count<8>(add_bits(acc.fours, four_0, four_1)));
  }
  static NARROW_INLINE V finish(Acc acc, const int32_t* init) {
    const V left = _mm512_add_epi8(_mm512_add_epi8(count<1>(acc.ones), count<2>(acc.twos)), count<4>(acc.fours));
    const V differ = add_bytes(acc.counts, left);
    return _mm512_sub_epi32(_mm512_loadu_si512(init), add(differ, differ));
  }
};

constexpr Kernel rows[] = {
    running_kernel<Running, Words, Simd>("gemm_b1b1_4x16x256_avx512", Tier::avx512, avx512_prepare, avx512_epilogue, 2,
                                         Feature::none, 1024, 1024),
    binary_kernel<Bits, Simd, LookupTiles>("gemm_b1b1_12x64x8_avx512", Tier::avx512, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
