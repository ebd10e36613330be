// Sums that only have to be scaled, on their way from a tile's registers to C (see Reals in src/kernel.h).
#pragma once

#include <stdint.h>

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

/// Of as many columns as `S` (see simd.h) is wide.
template <class S>
struct Scaling {
  typename S::F scale, bias;

  NARROW_INLINE Scaling(const float* scales, const float* biases) : scale(S::load(scales)), bias(S::load(biases)) {}
  /// The bits of the floats.
  NARROW_INLINE typename S::I operator()(typename S::I sum, float row_scale) const {
    return S::bits(S::fma(S::to_float(sum) * S::broadcast(row_scale), scale, bias));
  }
};

}  // namespace
}  // namespace narrow
