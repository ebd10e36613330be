// The two 16-bit float types: storage, and conversions in integer arithmetic that define every tier's results.
#pragma once

#include <stdint.h>

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

NARROW_INLINE uint32_t float_bits(float x) { return __builtin_bit_cast(uint32_t, x); }
NARROW_INLINE float bits_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }

/// The halves of a float, in the order of a little-endian machine.
struct FloatHalves {
  uint16_t low, high;
};

/// Not as a shift of the widened bits: g++ 12 for AArch64 vectorizes that wrongly in an unrolled loop (half of the elements are
/// left out).
NARROW_INLINE float to_float(Bf16 x) { return __builtin_bit_cast(float, FloatHalves{0, x.bits}); }

NARROW_INLINE Bf16 to_bf16(float x) {
  const uint32_t bits = float_bits(x);
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;  // stays one: rounding might carry its payload into infinity
  return {static_cast<uint16_t>(nan ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

NARROW_INLINE float to_float(F16 x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t exponent = x.bits >> 10 & 0x1f;
  uint32_t mantissa = x.bits & 0x3ff;
  if (exponent == 0x1f) return bits_float(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
  if (exponent) return bits_float(sign | (exponent + 112) << 23 | mantissa << 13);
  if (!mantissa) return bits_float(sign);
  const int shift = __builtin_clz(mantissa) - 21;  // a denormal: every one is a normal float
  mantissa = mantissa << shift & 0x3ff;
  return bits_float(sign | static_cast<uint32_t>(113 - shift) << 23 | mantissa << 13);
}

NARROW_INLINE F16 to_f16(float x) {
  const uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff))};
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};  // rounds to 2^16 or beyond
  uint32_t rest, dropped;  // the result rounded down, and how many bits it lost
  uint32_t source = magnitude;
  if (magnitude >= 0x38800000) {
    source -= 112u << 23;
    dropped = 13;
  } else {
    const uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return {static_cast<uint16_t>(sign)};  // below half of the least denormal
    source = (magnitude & 0x7fffff) | 0x800000;
    dropped = 126 - exponent;
  }
  rest = source & ((1u << dropped) - 1);
  source >>= dropped;
  const uint32_t half = 1u << (dropped - 1);
  source += rest > half || (rest == half && (source & 1));
  return {static_cast<uint16_t>(sign | source)};
}

}  // namespace
}  // namespace narrow
