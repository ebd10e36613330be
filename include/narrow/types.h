// Element types and the small enumerations that the descriptions of weights, products and outputs share.
#pragma once

#include <cstddef>
#include <cstdint>

/// Marks what the shared library exports. Everything else is hidden, and so is all of a static library: a shared object that
/// links one keeps it to itself, and another's copy, perhaps of another version, stays apart. (NARROW_SHARED comes with the
/// CMake target.)
#if defined(NARROW_SHARED)
#define NARROW_API __attribute__((visibility("default")))
#else
#define NARROW_API
#endif

namespace narrow {

/// Element types. The values are part of the packed-weights format and never change.
enum class Type : std::uint8_t {
  none = 0,
  s32 = 1,
  s8 = 2,
  u8 = 3,
  f32 = 4,
  bf16 = 5,  ///< The upper half of an f32; conversions round to nearest, ties to even; NaN stays NaN.
  f16 = 6,   ///< IEEE 754 binary16; conversions round to nearest, ties to even.
  s16 = 7,
  b1 = 8,   ///< One bit: 1 stands for +1, 0 for -1. Where bits are stored, an element is a byte of eight (see below).
  s4 = 9,   ///< Two's complement, -8..7; two in a byte, the low nibble first.
  u4 = 10,  ///< 0..15; likewise.
};

/// Bits in memory. A row of k bits is bit_row_bytes(k) bytes, whole 32-bit words: bit i of the row is bit i % 8 (1 << i % 8) of
/// byte i / 8, and the bits from k to the end of the last word are 0. No alignment is needed. Strides count bytes.
constexpr std::int64_t bit_row_bytes(std::int64_t k) noexcept { return (k + 31) / 32 * 4; }

/// "s8", "f32", ...
NARROW_API const char* name(Type type) noexcept;
/// Bytes of one element (for b1: of eight); 0 for none, s4 and u4.
constexpr std::size_t size_of(Type type) noexcept {
  // A digit for each type, the last for the first of them; calls of small products ask often enough to notice a switch.
  return type > Type::u4 ? 0 : 0x00122241140 >> 4 * static_cast<int>(type) & 15;
}

/// Whether a parameter is one value for the whole matrix, or one for each row of A, or for each column of B, or for each group
/// of k of a row or column.
enum class Per : std::uint8_t { tensor = 0, row = 1, column = 2, group = 3 };

/// How raw weights B[k,n] lie in memory: `kn` has the n values of one k side by side, `nk` the k values of one column.
enum class Order : std::uint8_t { kn = 0, nk = 1 };

/// The elementwise function of a fused epilogue (formulas: docs/arithmetic.md).
enum class Activation : std::uint8_t {
  none = 0,
  relu = 1,        ///< max(0, x); here and below a NaN stays one
  clamp = 2,       ///< min(hi, max(lo, x))
  leaky_relu = 3,  ///< x >= 0 ? x : slope * x
  gelu = 4,        ///< x Phi(x), Phi the normal distribution (the erf form), by one polynomial that all tiers share
  silu = 5,        ///< x / (1 + exp(-x)), by one polynomial that all tiers share
};

}  // namespace narrow
