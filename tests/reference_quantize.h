// Quantization steps of the scalar reference: rows of A on the way in, C on the way out, activations between.
#pragma once

#include <span>

#include "tests/reference_float.h"

namespace narrow::test {

struct Range {
  std::int32_t lo, hi;
};
inline Range range_of(Type type) {
  switch (type) {
    case Type::u8: return {0, 255};
    case Type::u4: return {0, 15};
    case Type::s4: return {-8, 7};
    default: return {-128, 127};
  }
}

inline std::int64_t saturate(std::int64_t x, std::int64_t lo, std::int64_t hi) { return std::min(std::max(x, lo), hi); }

/// round(x) with x far outside int32 kept in order, NaN as 0.
inline std::int64_t round_to_integer(float x) {
  if (std::isnan(x)) return 0;
  return static_cast<std::int64_t>(std::nearbyint(std::min(std::max(static_cast<double>(x), -1e9), 1e9)));
}

/// Dynamic quantization of one row of A: values, and x ~ scale * (q - zero_point).
inline void quantize_row(std::span<const float> x, Dynamic dynamic, std::span<std::int32_t> q, float* scale,
                         std::int32_t* zero_point) {
  float lo = 0, hi = 0;
  for (float v : x)
    if (std::isfinite(v)) lo = std::min(lo, v), hi = std::max(hi, v);
  float inverse = 1;
  *scale = 1;
  *zero_point = 0;
  if (dynamic == Dynamic::symmetric) {
    const float largest = std::max(hi, -lo);
    if (largest >= 0x1p-118f) *scale = largest / 127.0f, inverse = 127.0f / largest;
  } else {
    const float half = hi * 0.5f - lo * 0.5f;
    if (half >= 0x1p-118f) {
      *scale = half / 127.5f, inverse = 127.5f / half;
      *zero_point = static_cast<std::int32_t>(saturate(round_to_integer(-lo * inverse), 0, 255));
    }
  }
  const Range range = dynamic == Dynamic::symmetric ? Range{-127, 127} : Range{0, 255};
  for (std::size_t i = 0; i < x.size(); ++i)
    q[i] = static_cast<std::int32_t>(saturate(round_to_integer(x[i] * inverse) + *zero_point, range.lo, range.hi));
}

inline float reference_relu(float y) { return 0.0f > y ? 0.0f : y; }
inline float reference_clamp(float y, float lo, float hi) {
  const float above = lo > y ? lo : y;
  return hi < above ? hi : above;
}

/// max(y, 0) - t tail(t) with t = |y| and tail(t) the eighth power of (c - t) p(-t); p from its highest coefficient down.
template <std::size_t terms>
float rectify_smoothly(float y, float c, const float (&p)[terms]) {
  if (std::isnan(y)) return y;
  const float u = std::max(-std::fabs(y), -c);
  float root = p[0];
  for (std::size_t i = 1; i < terms; ++i) root = std::fmaf(root, u, p[i]);
  root = root * (c + u);
  const float root2 = root * root, root4 = root2 * root2, tail = root4 * root4;
  return std::fmaf(u, tail, reference_relu(y));
}

inline float activate(const GemmDesc& d, float y) {
  static constexpr float gelu[] = {0.000191649087f, 0.000778691727f, -0.00361269852f, -0.00964146852f, 0.150329188f};
  static constexpr float silu[] = {1.90383098e-10f, 1.23480071e-08f, 3.05593971e-07f,  3.90161313e-06f, 2.76536412e-05f,
                                   0.000100746271f, 5.54700418e-05f, -0.000804164738f, -0.00040040008f, 0.0632423759f};
  switch (d.activation) {
    case Activation::none:
      return y;
    case Activation::relu:
      return reference_relu(y);
    case Activation::clamp:
      return reference_clamp(y, d.lo, d.hi);
    case Activation::leaky_relu:
      return y < 0 ? y * d.slope : y;
    case Activation::gelu:
      return rectify_smoothly(y, 6.1f, gelu);
    case Activation::silu:
      return rectify_smoothly(y, 14.5f, silu);
  }
  return y;
}

/// What relu and clamp leave of an 8-bit output's range.
inline Range output_range(const GemmDesc& d) {
  Range range = range_of(d.c);
  auto quantized = [&](float bound) {
    return static_cast<std::int32_t>(saturate(round_to_integer(bound * (1.0f / d.c_scale)) + d.c_zero_point, range.lo, range.hi));
  };
  if (d.activation == Activation::relu) return {d.c_zero_point, range.hi};
  if (d.activation == Activation::clamp) return {quantized(d.lo), quantized(d.hi)};
  return range;
}

/// y in units of c_scale -> the stored integer.
inline std::int64_t requantize_float(const GemmDesc& d, float y) {
  const Range range = output_range(d);
  return saturate(round_to_integer(y) + d.c_zero_point, range.lo, range.hi);
}

/// round(sum * multiplier / 2^shift), ties to even, in integers.
inline std::int64_t requantize_fixed(const GemmDesc& d, std::int64_t sum, std::int32_t multiplier, std::int32_t shift) {
  const std::int64_t product = sum * multiplier, unit = std::int64_t{1} << shift;
  std::int64_t q = product >> shift;  // towards minus infinity
  const std::int64_t rest = product - q * unit;
  if (rest > unit / 2 || (rest == unit / 2 && q % 2 != 0)) ++q;
  const Range range = output_range(d);
  return saturate(q + d.c_zero_point, range.lo, range.hi);
}

}  // namespace narrow::test
