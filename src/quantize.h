// Floats to integers with a scale and zero point for each group of k, in portable code: the definition is in
// docs/arithmetic.md.
#pragma once

#include "narrow/weights.h"

namespace narrow {

struct Quantizer {
  float scale = 1, inverse = 1;
  int zero_point = 0;
  int lo = 0, hi = 0;  ///< the range of the type

  int operator()(float x) const noexcept {
    const float q = x * inverse + static_cast<float>(zero_point);
    return !(q > static_cast<float>(lo)) ? lo : q >= static_cast<float>(hi) ? hi : round(q);  // NaN, refused later: lo
  }

 private:
  static int round(float x) noexcept {  // to nearest, ties to even: the sum has no bits left for fractions
    constexpr float shift = 12582912.0f;
    return static_cast<int>((x + shift) - shift);
  }
};

/// Values one after another, converted a block at a time.
struct FloatSource {
  const void* data;
  Type type;
  std::int64_t stride;  ///< elements
  std::int64_t count;

  static constexpr int block = 256;
  /// Values [first, first + at most a block) and their number.
  int read(std::int64_t first, float (&out)[block]) const noexcept;
};

/// The quantizer of one group to s8, s4 (symmetric) or u4, with a scale that `scale_type` holds. False where a value is not
/// finite.
bool fit(const FloatSource& x, Type type, Type scale_type, Range range, Quantizer* out) noexcept;

}  // namespace narrow
