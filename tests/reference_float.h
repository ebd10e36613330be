// Float pieces of the scalar reference: 16-bit formats, activations, quantization of a row. Plain and slow on purpose, and
// written from docs/arithmetic.md, not from the kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "narrow/gemm.h"
#include "src/bits.h"

namespace narrow::test {

inline float from_bits(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
inline std::uint32_t to_bits(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// A binary floating-point format of 16 bits.
struct Format16 {
  int exponent_bits, mantissa_bits;
  constexpr int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  constexpr std::uint16_t infinity() const { return static_cast<std::uint16_t>(((1 << exponent_bits) - 1) << mantissa_bits); }
};
inline constexpr Format16 bf16_format{8, 7};
inline constexpr Format16 f16_format{5, 10};

inline constexpr Format16 format_of(Type type) { return type == Type::bf16 ? bf16_format : f16_format; }

inline float decode16(std::uint16_t bits, Format16 f) {
  const double sign = bits >> 15 ? -1.0 : 1.0;
  const int exponent = (bits & 0x7fff) >> f.mantissa_bits;
  const int mantissa = bits & ((1 << f.mantissa_bits) - 1);
  if (exponent == (1 << f.exponent_bits) - 1)
    return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(sign * HUGE_VAL);
  const double significand = mantissa + (exponent != 0 ? 1 << f.mantissa_bits : 0);
  return static_cast<float>(sign * std::ldexp(significand, std::max(exponent, 1) - f.bias() - f.mantissa_bits));
}

/// To nearest, ties to even, by counting quanta of the result's binade in double, where every step is exact.
inline std::uint16_t encode16(float x, Format16 f) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return static_cast<std::uint16_t>(f.infinity() | 1 << (f.mantissa_bits - 1));  // the default NaN
  if (std::isinf(x)) return sign | f.infinity();
  if (x == 0) return sign;
  const double magnitude = std::fabs(static_cast<double>(x));
  const int lowest = 1 - f.bias();
  int exponent = std::max(std::ilogb(magnitude), lowest);
  double quanta = std::nearbyint(std::ldexp(magnitude, f.mantissa_bits - exponent));
  if (quanta == std::ldexp(1.0, f.mantissa_bits + 1)) quanta /= 2, ++exponent;
  if (exponent > f.bias()) return sign | f.infinity();
  const int units = static_cast<int>(quanta), hidden = 1 << f.mantissa_bits;
  const int field = units < hidden ? 0 : exponent - lowest + 1;
  return static_cast<std::uint16_t>(sign | field << f.mantissa_bits | (units & (hidden - 1)));
}


/// Element i of an array of any type as a float (integers up to 16 bits, so exactly).
inline float load(const void* data, Type type, std::int64_t i) {
  switch (type) {
    case Type::f32: {
      float x;
      std::memcpy(&x, static_cast<const char*>(data) + 4 * i, sizeof x);
      return x;
    }
    case Type::bf16:
    case Type::f16: {
      std::uint16_t bits;
      std::memcpy(&bits, static_cast<const char*>(data) + 2 * i, sizeof bits);
      return decode16(bits, format_of(type));
    }
    case Type::u8:
      return static_cast<const std::uint8_t*>(data)[i];
    case Type::s8:
      return static_cast<const std::int8_t*>(data)[i];
    default:
      return 0;
  }
}

inline void store_float(void* data, Type type, std::int64_t i, float x) {
  if (type == Type::f32) {
    std::memcpy(static_cast<char*>(data) + 4 * i, &x, sizeof x);
  } else {
    const std::uint16_t bits = encode16(x, format_of(type));
    std::memcpy(static_cast<char*>(data) + 2 * i, &bits, sizeof bits);
  }
}

}  // namespace narrow::test
