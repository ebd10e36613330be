#include "tests/reference.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "tests/reference_groups.h"

namespace narrow::test {
namespace {

/// The integers of one row of A with the scale and zero point that give them meaning.
struct ReferenceRow {
  std::vector<std::int32_t> q;
  float scale = 1;
  std::int32_t zero_point = 0;
  std::vector<float> group_scale;  ///< where each group has its own
};

/// Whether the weights make bits of what they are multiplied with.
bool makes_bits(const WeightsDesc& w) { return w.type == Type::b1 && w.operand == Type::b1; }

ReferenceRow reference_row(const GemmDesc& d, const WeightsDesc& w, const GemmArgs& args, std::int64_t i) {
  const std::int64_t k = w.k;
  ReferenceRow row;
  row.q.resize(static_cast<std::size_t>(k));
  if (d.a_scale_per == Per::group) {
    for (std::int64_t g = 0; g < group_count(w); ++g) {
      const std::int64_t first = g * w.groups.size, count = std::min(w.groups.size, k - first);
      std::vector<float> x(static_cast<std::size_t>(count));
      for (std::int64_t p = 0; p < count; ++p)
        x[p] = is_float(d.a) ? load(args.a, d.a, i * args.a_stride + first + p)
                             : static_cast<float>(integer_at(args.a, d.a, i, args.a_stride, first + p));
      std::vector<std::int32_t> q(x.size());
      float scale = 0;
      if (is_float(d.a)) {
        quantize_row(x, Dynamic::symmetric, q, &scale, &row.zero_point);
      } else {
        q.assign(x.begin(), x.end());
        scale = args.a_scale[i * group_count(w) + g];
      }
      std::copy(q.begin(), q.end(), row.q.begin() + first);
      row.group_scale.push_back(scale);
    }
  } else if (makes_bits(w) && d.a != Type::b1) {
    for (std::int64_t p = 0; p < k; ++p) {
      const float t = d.a_threshold == nullptr ? 0.0f : d.a_threshold[d.a_threshold_per == Per::column ? p : 0];
      row.q[p] = load(args.a, d.a, i * args.a_stride + p) >= t ? 1 : -1;
    }
    row.scale = d.a_scale_per == Per::row ? args.a_scale[i] : d.a_scale;
  } else if (is_float(d.a)) {
    std::vector<float> x(static_cast<std::size_t>(k));
    for (std::int64_t p = 0; p < k; ++p) x[p] = load(args.a, d.a, i * args.a_stride + p);
    quantize_row(x, d.dynamic, row.q, &row.scale, &row.zero_point);
  } else {
    for (std::int64_t p = 0; p < k; ++p)
      row.q[p] = d.a == Type::b1 ? sign(args.a, i * args.a_stride, p) : integer_at(args.a, d.a, i, args.a_stride, p);
    row.scale = d.a_scale_per == Per::row ? args.a_scale[i] : d.a_scale;
    row.zero_point = d.a_zero_point_per == Per::row ? args.a_zero_point[i] : d.a_zero_point;
  }
  return row;
}

std::int32_t weight(const WeightsDesc& w, std::int64_t k, std::int64_t j) {
  if (w.type == Type::b1) return sign(w.data, j * (w.stride != 0 ? w.stride : bit_row_bytes(w.k)), k);
  return group_weight(w, k, j);
}
std::int32_t weight_zero_point(const WeightsDesc& w, std::int64_t j) {
  return w.zero_point == nullptr ? w.type == Type::u4 ? 8 : 0 : w.zero_point[w.zero_point_per == Per::column ? j : 0];
}
float weight_scale(const WeightsDesc& w, std::int64_t j) {
  return w.scale == nullptr ? 1.0f : w.scale[w.scale_per == Per::column ? j : 0];
}

}  // namespace

void reference_gemm(const GemmDesc& d, const WeightsDesc& w, const GemmArgs& args) {
  const bool grouped = w.groups.size != 0, group_scales = d.a_scale_per == Per::group;
  const bool row_scales = !group_scales && ((is_float(d.a) && !makes_bits(w)) || d.a_scale_per == Per::row);
  std::vector<std::int32_t> b(static_cast<std::size_t>(w.k * w.n));  // [n][k], zero points taken off
  for (std::int64_t j = 0; j < w.n; ++j)
    for (std::int64_t p = 0; p < w.k && !grouped; ++p) b[j * w.k + p] = weight(w, p, j) - weight_zero_point(w, j);

  for (std::int64_t i = 0; i < args.m; ++i) {
    ReferenceRow row = reference_row(d, w, args, i);
    for (std::int32_t& q : row.q) q -= row.zero_point;
    for (std::int64_t j = 0; j < w.n; ++j) {
      std::int64_t sum = d.bias_s32 != nullptr ? d.bias_s32[j] : 0;
      for (std::int64_t p = 0; p < w.k; ++p) sum += static_cast<std::int64_t>(row.q[p]) * b[j * w.k + p];
      assert(sum >= INT32_MIN && sum <= INT32_MAX);

      if (d.c == Type::b1) {
        auto* byte = static_cast<unsigned char*>(args.c) + i * args.c_stride + j / 8;
        const bool one = d.at_most != nullptr && d.at_most[j] != 0 ? sum <= d.threshold[j] : sum >= d.threshold[j];
        *byte = static_cast<unsigned char>((*byte & ~(1u << (j % 8))) | static_cast<unsigned>(one) << (j % 8));
        for (std::int64_t p = w.n; j == w.n - 1 && p < 8 * bit_row_bytes(w.n); ++p) byte[p / 8 - j / 8] &= static_cast<unsigned char>(~(1u << (p % 8)));
        continue;
      }
      const std::int64_t at = i * args.c_stride + j;
      if (d.c == Type::s32) {
        auto* c = static_cast<std::int32_t*>(args.c) + at;
        *c = static_cast<std::int32_t>(saturate(sum + (d.accumulate ? *c : 0), INT32_MIN, INT32_MAX));
        continue;
      }
      const bool quantized = d.c == Type::s8 || d.c == Type::u8;
      auto store_integer = [&](std::int64_t q) { static_cast<std::uint8_t*>(args.c)[at] = static_cast<std::uint8_t>(q); };
      if (quantized && d.requantize == Requantize::fixed_point) {
        const std::int64_t parameter = d.multiplier_per == Per::column ? j : 0;
        store_integer(requantize_fixed(d, sum, d.multiplier[parameter], d.shift[parameter]));
        continue;
      }

      // Where everything after it commutes with a positive factor, 1 / c_scale goes into scale and bias.
      const bool folded = quantized && d.residual == Type::none && d.activation != Activation::gelu && d.activation != Activation::silu;
      const float inverse = 1.0f / d.c_scale;
      float scale = grouped ? 1.0f : weight_scale(w, j);
      if (!row_scales && !group_scales) scale = d.a_scale * scale;
      float bias = d.bias_f32 != nullptr ? d.bias_f32[j] : 0.0f;
      if (folded) scale = scale * inverse, bias = bias * inverse;
      scale = std::min(std::max(scale, -max_float), max_float);
      float y = static_cast<float>(sum);
      if (grouped)
        y = reference_group_sum(w, row.q, group_scales, [&](std::int64_t g) { return row.group_scale[static_cast<std::size_t>(g)]; }, j);
      if (row_scales) y = y * row.scale;
      y = std::fmaf(y, scale, bias);
      if (d.accumulate) y = y + load(args.c, d.c, at);
      if (d.residual != Type::none) {
        float r = load(args.residual, d.residual, i * args.residual_stride + j);
        if (!is_float(d.residual)) r = (r - static_cast<float>(d.residual_zero_point)) * d.residual_scale;
        y = y + r;
      }
      if (!quantized) {
        store_float(args.c, d.c, at, activate(d, y));
      } else if (folded) {  // relu and clamp act on the integers
        store_integer(requantize_float(d, d.activation == Activation::leaky_relu ? activate(d, y) : y));
      } else {
        const bool on_integers = d.activation == Activation::relu || d.activation == Activation::clamp;
        store_integer(requantize_float(d, (on_integers ? y : activate(d, y)) * inverse));
      }
    }
  }
}

}  // namespace narrow::test
