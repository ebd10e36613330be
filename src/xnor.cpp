#include "narrow/xnor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/float16.h"
#include "src/bits.h"
#include "src/blob.h"
#include "src/claim.h"
#include "src/default_floats.h"
#include "src/images.h"
#include "src/status.h"

namespace narrow {
namespace {

float to_float(float x) { return x; }

double at(const float* values, std::int64_t j, double otherwise) { return values ? values[j] : otherwise; }

/// The threshold of a predicate that is monotone: `rising`, the least sum of which it is true, else the greatest; INT32_MIN for
/// "none" of a falling one, so that no sum is at most that.
template <class Predicate>
std::int32_t bound(bool rising, const Predicate& is_true) {
  constexpr std::int64_t least = -std::numeric_limits<std::int32_t>::max(), greatest = -least;
  std::int64_t lo = least - 1, hi = greatest + 1;  // sums on the two sides of where it changes
  while (hi - lo > 1) {
    const std::int64_t middle = lo + (hi - lo) / 2;
    (is_true(static_cast<double>(middle)) == rising ? hi : lo) = middle;
  }
  return static_cast<std::int32_t>(!rising ? lo : hi > greatest ? least - 1 : hi);
}

template <class T>
float mean_magnitude(const T* x, std::int64_t c) {
  constexpr int lanes = 16;
  float sum[lanes] = {};
  std::int64_t j = 0;
  for (; c - j >= lanes; j += lanes)
    for (int i = 0; i < lanes; ++i) sum[i] += std::fabs(to_float(x[j + i]));
  for (int i = 0; j < c; ++i, ++j) sum[i] += std::fabs(to_float(x[j]));
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) sum[i] += sum[i + half];
  return sum[0] / static_cast<float>(c);
}

template <class T>
void means_of_row(const ConvDesc& d, const ConvArgs& args, std::int64_t row, float* out) {
  const T* x = static_cast<const T*>(args.a) + row * d.w * args.a_stride;
  for (std::int64_t i = 0; i < d.w; ++i) out[i] = mean_magnitude(x + i * args.a_stride, d.c);
}

}  // namespace

Status fold_batch_norm(const BatchNorm& d, std::int32_t* threshold, std::uint8_t* at_most) noexcept {
  const DefaultFloats floats;
  if (d.n < 0) return invalid("batch norm: negative n");
  if (d.n > 0 && (!threshold || !at_most)) return invalid("batch norm: null pointer");
  if (d.variance && (!(d.epsilon >= 0) || !std::isfinite(d.epsilon)))
    return invalid("batch norm: epsilon is negative or not finite");
  for (const float* values : {d.scale, d.bias, d.gamma, d.beta, d.mean, d.variance})
    for (std::int64_t j = 0; values && j < d.n; ++j)
      if (!std::isfinite(values[j]) || (values == d.variance && values[j] < 0))
        return invalid("batch norm: a value is not finite, or a variance negative");
  for (std::int64_t j = 0; j < d.n; ++j) {
    const double scale = at(d.scale, j, 1), bias = at(d.bias, j, 0), gamma = at(d.gamma, j, 1), mean = at(d.mean, j, 0);
    const double deviation = d.variance ? std::sqrt(static_cast<double>(d.variance[j]) + d.epsilon) : 1.0;
    const double shift = at(d.beta, j, 0) * deviation;
    const bool rising = std::signbit(scale) == std::signbit(gamma);
    threshold[j] = bound(rising, [&](double sum) { return gamma * ((scale * sum + bias) - mean) + shift >= 0; });
    at_most[j] = !rising || threshold[j] == std::numeric_limits<std::int32_t>::min();
  }
  return {};
}

Status xnor_filters(const ConvFilters& f, void* bits, float* alpha) noexcept {
  const DefaultFloats floats;
  if (f.n < 0 || f.n > n_limit || f.kernel_h < 1 || f.kernel_w < 1 || f.c < 1 || f.kernel_h > size_limit ||
      f.kernel_w > size_limit || f.c > size_limit || f.kernel_h * f.kernel_w > size_limit / f.c)
    return invalid("xnor: the filters' sizes are out of range");
  if (f.n > 0 && (!f.data || !bits || !alpha)) return invalid("xnor: null pointer");
  const std::int64_t taps = f.kernel_h * f.kernel_w, values = taps * f.c;
  for (std::int64_t j = 0; j < f.n; ++j) {
    const float* w = static_cast<const float*>(f.data) + j * values;
    double sum = 0;
    for (std::int64_t i = 0; i < values; ++i) sum += std::fabs(static_cast<double>(w[i]));
    if (std::isnan(sum)) return invalid("xnor: a weight is no number");
    alpha[j] = static_cast<float>(sum / static_cast<double>(values));
  }
  BitRows rows;
  rows.rows = f.n * taps;
  rows.k = rows.stride = f.c;
  rows.bits_stride = bit_row_bytes(f.c);
  return pack_bits(rows, f.data, bits);
}

Status xnor_scales(const ConvDesc& d, const ConvArgs& args, float* scale, float* scratch, const Parallel& parallel) noexcept {
  if (Status s = check_geometry(d); !s.ok()) return s;
  const Type type = d.gemm.a;
  if (type != Type::f32 && type != Type::bf16 && type != Type::f16)
    return {Code::unsupported, "xnor: values are f32, bf16 or f16"};
  if (args.images < 0) return invalid("xnor: negative number of images");
  const std::int64_t out_h = conv_output(d.h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top + d.pad_bottom);
  const std::int64_t out_w = conv_output(d.w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left + d.pad_right);
  if (args.images == 0 || out_h * out_w == 0) return {};
  if (!args.a || !scale || !scratch) return invalid("xnor: null pointer");
  if (args.a_stride < d.c) return invalid("xnor: a_stride is shorter than a pixel");
  std::int64_t in_pixels, out_pixels;
  if (__builtin_mul_overflow(args.images, d.h * d.w, &in_pixels) ||
      __builtin_mul_overflow(args.images, out_h * out_w, &out_pixels) || out_of_reach(in_pixels, args.a_stride) ||
      out_of_reach(out_pixels, 1))
    return invalid("xnor: images so far apart that their bytes leave 64 bits");

  claim(parallel, args.images * d.h, [&](int, std::int64_t row) {
    float* means = scratch + row * d.w;
    type == Type::f32    ? means_of_row<float>(d, args, row, means)
    : type == Type::bf16 ? means_of_row<Bf16>(d, args, row, means)
                         : means_of_row<F16>(d, args, row, means);
  });
  claim(parallel, args.images * out_h, [&](int, std::int64_t i) {
    const float* image = scratch + i / out_h * d.h * d.w;
    const std::int64_t top = i % out_h * d.stride_h - d.pad_top;
    for (std::int64_t x = 0; x < out_w; ++x) {
      const std::int64_t left = x * d.stride_w - d.pad_left;
      float sum = 0;
      for (std::int64_t r = 0; r < d.kernel_h; ++r)
        for (std::int64_t s = 0; s < d.kernel_w; ++s) {
          const std::int64_t at_y = top + r * d.dilation_h, at_x = left + s * d.dilation_w;
          if (at_y >= 0 && at_y < d.h && at_x >= 0 && at_x < d.w) sum += image[at_y * d.w + at_x];
        }
      scale[i * out_w + x] = sum / static_cast<float>(d.kernel_h * d.kernel_w);
    }
  });
  return {};
}

}  // namespace narrow
