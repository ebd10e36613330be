// Rows of elements smaller than a byte in portable code, where speed does not matter, and what sizes follow from them.
// include/narrow/types.h has the layouts.
#pragma once

#include <cstdint>
#include <cstring>

#include "narrow/types.h"
#include "src/kernel.h"

namespace narrow {

/// Elements that k values of a row take: bytes of eight where they are bits.
constexpr std::int64_t elements_of(Type type, std::int64_t k) { return type == Type::b1 ? bit_row_bytes(k) : k; }

/// Bytes of a panel for so many k of the kernel's.
constexpr std::int64_t bytes_of_panel(const Geometry& g, std::int64_t k) { return k * g.nr * g.b_bits / 8; }

/// Bytes of an unpacked panel for so many k, whose tiles' geometry this is.
constexpr std::int64_t bytes_of_unpacked(const Geometry& g, std::int64_t k) {
  return g.nr * (static_cast<std::int64_t>(sizeof(std::int32_t)) + k * static_cast<std::int64_t>(size_of(g.a)));
}
/// Longest m, and whether so many rows of values of any type, a stride of elements apart, may leave 64 bits. (The pointers of
/// such could not exist; but what is computed of them may go wrong long before they are used.)
inline constexpr std::int64_t m_limit = (std::int64_t{1} << 31) - 1, stride_limit = std::int64_t{1} << 56;
constexpr bool out_of_reach(std::int64_t rows, std::int64_t stride) {
  std::int64_t bytes = 0;
  return stride > stride_limit || stride < -stride_limit || __builtin_mul_overflow(rows, 4 * stride, &bytes);
}
constexpr bool is_float(Type t) { return t == Type::f32 || t == Type::bf16 || t == Type::f16; }
constexpr bool is_4bit(Type t) { return t == Type::s4 || t == Type::u4; }
/// Bytes of so many elements, counted as elements_of does; of a distance, which may be negative, where it is whole bytes.
constexpr std::int64_t bytes_of(Type type, std::int64_t elements) {
  return is_4bit(type) ? elements / 2 + elements % 2 : elements * static_cast<std::int64_t>(size_of(type));
}

/// p + by; null where there is nothing.
template <class T>
T* offset(T* p, std::int64_t by) {
  return p ? p + by : nullptr;
}

/// Whether the bits from k to the end of the last word are 0 in each of `rows` rows.
inline bool padding_is_zero(const void* bits, std::int64_t stride, std::int64_t rows, std::int64_t k) {
  if (k % 32 == 0 || rows == 0) return true;
  const char* last = static_cast<const char*>(bits) + k / 32 * 4;
  std::uint32_t any = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::uint32_t word;
    std::memcpy(&word, last + i * stride, sizeof word);
    any |= word;
  }
  return any >> k % 32 == 0;
}

/// `count` bits from the bit `first` on, of `bytes` bytes, as a row of their own. Whole words, as all rows of bits are.
inline void take_bits(const char* from, std::int64_t bytes, std::int64_t first, std::int64_t count, char* to) {
  for (std::int64_t i = 0; i < count; i += 32) {
    const std::int64_t at = (first + i) / 32 * 4;
    std::uint64_t words = 0;
    std::memcpy(&words, from + at, at + 8 <= bytes ? 8 : 4);
    words >>= (first + i) % 32;
    if (count - i < 32) words &= (std::uint64_t{1} << (count - i)) - 1;
    std::memcpy(to + i / 8, &words, 4);
  }
}
/// The reverse: to |= from, its `count` bits moved to the bit `first` and on.
inline void put_bits(const char* from, std::int64_t count, char* to, std::int64_t first) {
  for (std::int64_t i = 0; i < count; i += 32) {
    std::uint64_t words = 0;
    std::memcpy(&words, from + i / 8, 4);
    words <<= (first + i) % 32;
    for (char* at = to + (first + i) / 32 * 4; words != 0; words >>= 32, at += 4) {
      std::uint32_t word;
      std::memcpy(&word, at, 4);
      word |= static_cast<std::uint32_t>(words);
      std::memcpy(at, &word, 4);
    }
  }
}

/// The sum of k values of +1 and -1.
inline std::int32_t sum_of_bits(const void* bits, std::int64_t k) {
  std::int64_t ones = 0;
  for (std::int64_t at = 0; at < bit_row_bytes(k); at += 4) {
    std::uint32_t word;
    std::memcpy(&word, static_cast<const char*>(bits) + at, sizeof word);
    ones += __builtin_popcount(word);
  }
  return static_cast<std::int32_t>(2 * ones - k);
}

/// Of values that become bits.
Status check_thresholds(const float* threshold, Per per, std::int64_t k) noexcept;

}  // namespace narrow
