// Where a convolution's windows lie, for what the border costs.
#pragma once

#include <cstdint>

#include "src/kernel.h"

namespace narrow {

/// Sizes of a convolution, and what makes padding count as zero.
struct ConvShape {
  std::int32_t h, w, out_h, out_w;
  std::int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  const std::int32_t* tap_sums;                             ///< [taps][n], or null: the padding counts as it is
  std::int32_t whole_y, whole_y_end, whole_x, whole_x_end;  ///< output pixels whose windows lie within the image

  /// Whether row `r` of the window of output row y lies in the image; likewise for columns.
  bool has_row(std::int64_t y, std::int64_t r) const {
    const std::int64_t at = y * stride_h + r * dilation_h - pad_top;
    return at >= 0 && at < h;
  }
  bool has_column(std::int64_t x, std::int64_t s) const {
    const std::int64_t at = x * stride_w + s * dilation_w - pad_left;
    return at >= 0 && at < w;
  }
};

/// Output pixels in order, image after image.
struct Pixel {
  std::int32_t y = 0, x = 0;

  Pixel() = default;
  Pixel(const ConvShape& shape, std::int64_t index)
      : y(static_cast<std::int32_t>(index / shape.out_w % shape.out_h)), x(static_cast<std::int32_t>(index % shape.out_w)) {}
  void advance(const ConvShape& shape) {
    if (++x < shape.out_w) return;
    x = 0;
    if (++y == shape.out_h) y = 0;
  }
};

/// Padding is stored as -1, so that a tap outside the image takes off its sum: this adds it again, for output pixels from
/// `pixel` on, which is moved behind them, to sums of the columns from `column` on.
void restore_border(const ConvShape& shape, const Kernel& kernel, std::int64_t n, Pixel* pixel, int pixels, std::int64_t column,
                    int cols, std::int32_t* sum, std::ptrdiff_t sum_stride) noexcept;

}  // namespace narrow
