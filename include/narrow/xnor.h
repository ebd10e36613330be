// What turns trained layers into layers of bits: batch normalisation into thresholds, filters into signs and factors, inputs
// into factors for each output pixel (XNOR-Net, Rastegari et al., 2016).
#pragma once

#include "narrow/conv.h"

namespace narrow {

/// Batch normalisation of y = scale * sum + bias. Arrays have n values, all finite.
struct BatchNorm {
  std::int64_t n = 0;
  const float* scale = nullptr;     ///< null: 1
  const float* bias = nullptr;      ///< null: 0
  const float* gamma = nullptr;     ///< null: 1
  const float* beta = nullptr;      ///< null: 0
  const float* mean = nullptr;      ///< null: 0
  const float* variance = nullptr;  ///< Not negative; null: 1, and then epsilon is not used.
  float epsilon = 1e-5f;            ///< Not negative.
};
/// Normalisation and sign as one comparison of integers, for GemmDesc::threshold and at_most (n values each): the bit is 1
/// where
///   gamma * ((scale * sum + bias) - mean) + beta * sqrt(variance + epsilon) >= 0
/// in doubles, each operation rounded by itself. Thresholds are exactly where this changes: all of it is monotone in sum. Where
/// it never changes (a factor of 0, say), the comparison is true of every sum, or of none.
[[nodiscard]] NARROW_API Status fold_batch_norm(const BatchNorm& norm, std::int32_t* threshold, std::uint8_t* at_most) noexcept;

/// Filters of f32, [n][kernel_h][kernel_w][c], dense, as W ~ alpha * sign(W): writes their bits (w >= 0), as ConvFilters
/// takes them, and alpha, [n]: the mean of |w| over each filter, summed up in doubles in order. Not tuned. NaN is refused, and
/// then what was written is of no use.
[[nodiscard]] NARROW_API Status xnor_filters(const ConvFilters& filters, void* bits, float* alpha) noexcept;

/// K of XNOR-Net, for ConvArgs::a_scale: for each output pixel of the convolution the mean over its window of the mean over
/// all channels of |x|, taps outside the image counting as 0. `desc` gives the geometry, and gemm.a the type of x: f32, bf16 or
/// f16; `args` images, a and a_stride. With alpha as the scales of the weights, an f32 output is then K alpha (sign(X) *
/// sign(W)).
///   mean over channels: sixteen sums of floats (channel c to sum c % 16, ascending), those added up in halves (i with i + 8,
///   4, 2, 1), divided by c. Mean over the window: taps in order, divided by kernel_h * kernel_w.
/// Writes [images * out_h * out_w] values, of the convolution without its pool. `scratch`: [images * h * w] floats.
[[nodiscard]] NARROW_API Status xnor_scales(const ConvDesc& desc, const ConvArgs& args, float* scale, float* scratch,
                                            const Parallel& parallel = serial()) noexcept;

}  // namespace narrow
