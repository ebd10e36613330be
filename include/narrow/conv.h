// Convolution with filters of bits: an implicit product, C[pixel, filter], with all of gemm's outputs.
#pragma once

#include "narrow/bits.h"
#include "narrow/gemm.h"

namespace narrow {

/// What lies around an image.
enum class Padding : std::uint8_t {
  minus_one = 0,
  plus_one = 1,
  zero = 2,  ///< Taps outside the image count nothing, as in a convolution of floats; needs ConvDesc::tap_sums for images of
             ///< bits. The only one for images of bytes, where it is the value a_zero_point.
};

/// Everything about a convolution but its data and the number of images. Images are NHWC: a pixel is a row of c bits (see
/// bit_row_bytes) or c values; pixels of a row of the image and rows of an image follow each other. With
///   sum[y,x,j] = sum over the taps (r,s) and channels of a[y * stride_h + r * dilation_h - pad_top,
///                                                          x * stride_w + s * dilation_w - pad_left, channel] *
///                                                          b[j,r,s,channel]
/// the output pixel (y,x) is the row of a product, and `gemm` says what becomes of the sums. With groups, filter j reads but
/// the c / groups channels from j / (n / groups) * (c / groups) on; the output's channels (or bits) follow each other as
/// without.
struct ConvDesc {
  std::int64_t h = 0, w = 0, c = 0;  ///< Of one image; these and all below 1 to 2^30, padding from 0 on; h * w * c with the
                                     ///< padding up to 2^38, and the output pixels of all images up to 2^31 - 1.
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  Padding padding = Padding::minus_one;
  const std::int32_t* tap_sums = nullptr;  ///< [kernel_h * kernel_w][n] from prepare_filters; for Padding::zero where there
                                           ///< is padding. Must outlive the plan.
  PoolWindow pool;                         ///< Of an output of bits: the maximum over these windows of it is what is written.
  /// Of channels and of filters, into which both divide evenly: as many as the filters were packed for.
  std::int64_t groups = 1;
  /// Rows are output pixels. Where the filters are packed for b1, a is b1, or anything else that becomes bits (a_threshold per
  /// tensor, or per column: [c]). Where they are packed for bytes, a is u8 or s8, with one zero point.
  GemmDesc gemm;
};

/// Filters of bits, [n][kernel_h][kernel_w] rows of c bits, dense. With groups, the filters of one group after those of
/// another, and c is the number of channels of a group.
struct ConvFilters {
  std::int64_t n = 0, kernel_h = 1, kernel_w = 1, c = 0;
  const void* data = nullptr;
  std::int64_t groups = 1;
};
/// Checks the filters, describes them to Weights::pack, and, where `tap_sums` is not null,
/// writes its [kernel_h * kernel_w][n] values: the sum of each filter's tap over its channels. What the description says of
/// scale, operand and cap stays as it is.
[[nodiscard]] NARROW_API Status prepare_filters(const ConvFilters& filters, WeightsDesc* desc, std::int32_t* tap_sums) noexcept;

/// The data of one call. Pixels of `a` are a_stride elements (b1: bytes) apart, at least a pixel; pixels of C and of the
/// residual as in GemmArgs.
struct ConvArgs {
  std::int64_t images = 0;
  const void* a = nullptr;
  std::int64_t a_stride = 0;
  void* c = nullptr;
  std::int64_t c_stride = 0;
  const float* a_scale = nullptr;  ///< [output pixels] where gemm.a_scale_per is row: for all groups.
  const void* residual = nullptr;
  std::int64_t residual_stride = 0;
};

/// A resolved convolution; like Gemm, immutable, copyable and without memory of its own.
class Conv {
 public:
  /// `weights` were packed as prepare_filters describes them.
  [[nodiscard]] NARROW_API static Status plan(const ConvDesc& desc, const Weights& weights, Conv* out) noexcept;

  std::int64_t out_h() const noexcept { return out_h_; }
  std::int64_t out_w() const noexcept { return out_w_; }

  /// Bytes of scratch that run needs for up to `images` images on that many threads (of many no more than of some): for these,
  /// a padded copy (as bits where they become bits), two pointers for each output pixel, what is to be pooled, and the bits of
  /// groups whose filters are no multiple of 32.
  NARROW_API std::size_t scratch_size(std::int64_t images, int threads = 1) const noexcept;
  [[nodiscard]] NARROW_API Status run(const ConvArgs& args, void* scratch, std::size_t scratch_bytes,
                                      const Parallel& parallel = serial()) const noexcept;
  GemmInfo info() const noexcept { return gemm_.info(); }

 private:
  friend struct ConvAccess;
  ConvDesc desc_;
  Gemm gemm_;
  std::int64_t conv_h_ = 0, conv_w_ = 0;  ///< of the convolution itself
  std::int64_t out_h_ = 0, out_w_ = 0;    ///< of what is written: the same but for a pool
};

}  // namespace narrow
