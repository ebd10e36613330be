#include "src/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/float16.h"

namespace narrow {
namespace {

/// As it will be stored, and not beyond the largest number of its type.
float stored(float scale, Type type) {
  if (type == Type::f16) return to_float(to_f16(std::min(scale, 65504.0f)));
  if (type == Type::bf16) return to_float(to_bf16(std::min(scale, 0x1.fep127f)));
  return scale;
}

/// The quantizer of values from lo <= 0 to hi >= 0; one that makes all of them 0 where there is no range.
Quantizer quantizer_of(float lo, float hi, Type type, Type scale_type) {
  Quantizer q;
  const bool symmetric = type != Type::u4;
  q.lo = symmetric ? type == Type::s8 ? -128 : -8 : 0;
  q.hi = symmetric ? -q.lo - 1 : 15;
  const float range = symmetric ? std::max(hi, -lo) / static_cast<float>(q.hi) : hi / 15.0f - lo / 15.0f;
  const float scale = stored(range, scale_type);
  if (scale < 0x1p-118f) {  // 1 / scale would not be a normal number
    q.inverse = 0;
    return q;
  }
  q.scale = scale;
  q.inverse = 1.0f / scale;
  if (!symmetric) q.zero_point = Quantizer{.inverse = q.inverse, .hi = 15}(-lo);
  return q;
}

/// The sum of squares of what the quantizer makes wrong, in double after each block so that a long group counts as it should,
/// and times the square of `unit`, a power of two, so that no square leaves the range of floats.
double error_of(const Quantizer& q, const float* x, int count, float unit) {
  constexpr int lanes = 8;
  float sum[lanes] = {};
  const float lo = static_cast<float>(q.lo), hi = static_cast<float>(q.hi), zero = static_cast<float>(q.zero_point);
  constexpr float shift = 12582912.0f;
  for (int i = 0; i < count; i += lanes)
    for (int l = 0; l < lanes; ++l) {  // blocks are padded with zeros, which cost nothing
      float v = x[i + l] * q.inverse + zero;
      v = v < lo ? lo : v;
      v = v > hi ? hi : v;
      const float wrong = (x[i + l] - ((v + shift) - shift - zero) * q.scale) * unit;
      sum[l] += wrong * wrong;
    }
  double total = 0;
  for (float s : sum) total += static_cast<double>(s);
  return total;
}

}  // namespace

int FloatSource::read(std::int64_t first, float (&out)[block]) const noexcept {
  const int n = static_cast<int>(std::min<std::int64_t>(block, count - first));
  const auto convert = [&](const auto* from, auto to_value) {
    for (int i = 0; i < n; ++i) out[i] = to_value(from[(first + i) * stride]);
  };
  if (type == Type::f32)
    convert(static_cast<const float*>(data), [](float v) { return v; });
  else if (type == Type::bf16)
    convert(static_cast<const std::uint16_t*>(data), [](std::uint16_t v) { return to_float(Bf16{v}); });
  else
    convert(static_cast<const std::uint16_t*>(data), [](std::uint16_t v) { return to_float(F16{v}); });
  std::fill(out + n, out + block, 0.0f);
  return n;
}

bool fit(const FloatSource& x, Type type, Type scale_type, Range range, Quantizer* out) noexcept {
  float values[FloatSource::block];
  float lo = 0, hi = 0;
  bool finite = true;
  for (std::int64_t first = 0; first < x.count; first += FloatSource::block) {
    const int n = x.read(first, values);
    for (int i = 0; i < n; ++i) {
      finite &= values[i] - values[i] == 0;
      lo = std::min(lo, values[i]);
      hi = std::max(hi, values[i]);
    }
  }
  *out = quantizer_of(lo, hi, type, scale_type);
  if (!finite || range == Range::min_max || out->inverse == 0) return finite;

  // Ranges cut by i / 64, and of the best several the widest.
  const float unit = std::ldexp(1.0f, -std::ilogb(out->scale));  // about a step of the widest range
  constexpr int candidates = 40;
  Quantizer q[candidates];
  double error[candidates] = {};
  for (int i = 0; i < candidates; ++i) {
    const float part = static_cast<float>(64 - i) / 64.0f;
    q[i] = quantizer_of(lo * part, hi * part, type, scale_type);
  }
  for (std::int64_t first = 0; first < x.count; first += FloatSource::block) {
    const int n = x.read(first, values);
    for (int i = 0; i < candidates; ++i) error[i] += error_of(q[i], values, n, unit);
  }
  *out = q[std::min_element(error, error + candidates) - error];
  return true;
}

}  // namespace narrow
