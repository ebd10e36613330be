// What the description of a product may say, by itself and together with its weights, and what its data may be.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "src/driver.h"
#include "src/gemm.h"
#include "src/status.h"
#include "src/weights.h"

namespace narrow {
namespace {

bool is_integer(Type t) { return t == Type::s8 || t == Type::u8 || is_4bit(t); }
bool is_int8(Type t) { return t == Type::s8 || t == Type::u8; }
/// The least value of an integer type, and how many there are.
std::int32_t lowest(Type t) { return t == Type::s8 ? -128 : t == Type::s4 ? -8 : 0; }
std::int32_t span(Type t) { return is_4bit(t) ? 16 : 256; }
bool in_range(std::int32_t value, Type t) { return value >= lowest(t) && value < lowest(t) + span(t); }

Status check_a(const GemmDesc& d, bool bits) {
  if (!is_integer(d.a) && !is_float(d.a) && d.a != Type::b1)
    return {Code::unsupported, "gemm: a must be u8, s8, u4, s4, f32, bf16, f16 or b1"};
  if (d.a == Type::b1 && !bits) return {Code::unsupported, "gemm: b1 takes b1 weights that are packed for b1"};
  if (bits && is_4bit(d.a)) return {Code::unsupported, "gemm: what becomes bits is u8, s8, f32, bf16 or f16"};
  if (is_float(d.a) && !bits) {
    if (d.dynamic != Dynamic::symmetric && d.dynamic != Dynamic::asymmetric)
      return invalid("gemm: unknown dynamic quantization");
    return {};
  }
  if (d.a_scale_per != Per::tensor && d.a_scale_per != Per::row && d.a_scale_per != Per::group)
    return invalid("gemm: scales of a are per tensor, row or group");
  if (d.a_zero_point_per != Per::tensor && d.a_zero_point_per != Per::row)
    return invalid("gemm: zero points of a are per tensor or per row");
  if (!std::isfinite(d.a_scale)) return invalid("gemm: a_scale is not finite");
  if (bits && (d.a_zero_point_per != Per::tensor || d.a_zero_point != 0)) return invalid("gemm: bits have no zero points");
  if (!bits && !in_range(d.a_zero_point, d.a)) return invalid("gemm: a_zero_point is outside the range of a's type");
  return {};
}

/// What weights with groups of k do not go together with, and what goes with them only.
Status check_groups(const GemmDesc& d, bool grouped) {
  if (!grouped) {
    return d.a_scale_per == Per::group ? invalid("gemm: scales of a per group need weights with groups") : Status{};
  }
  if (d.a == Type::u8) return {Code::unsupported, "gemm: weights with groups take a as s8, s4, u4, f32, bf16 or f16"};
  if (is_float(d.a) && d.dynamic != Dynamic::symmetric)
    return {Code::unsupported, "gemm: with groups, a is quantized symmetrically"};
  if (!is_float(d.a) && (d.a_zero_point_per != Per::tensor || d.a_zero_point != 0))
    return {Code::unsupported, "gemm: with groups, a has no zero point"};
  if (d.c == Type::s32 || d.c == Type::b1 || d.requantize == Requantize::fixed_point)
    return {Code::unsupported, "gemm: sums over groups are floats: no s32 or b1 output, no fixed_point"};
  if (d.bias_s32) return {Code::unsupported, "gemm: sums over groups are floats: no s32 bias"};
  return {};
}

Status check_fixed_point(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (!is_int8(d.c)) return invalid("gemm: fixed_point needs an s8 or u8 output");
  if (d.bias_f32) return invalid("gemm: fixed_point takes an s32 bias");
  if (d.residual != Type::none) return invalid("gemm: fixed_point takes no residual");
  if (d.activation != Activation::none && d.activation != Activation::relu && d.activation != Activation::clamp)
    return invalid("gemm: fixed_point takes the activations none, relu and clamp");
  if (quantized || d.a_scale_per == Per::row) return invalid("gemm: fixed_point needs one scale for all rows of a");
  if (d.multiplier_per != Per::tensor && d.multiplier_per != Per::column)
    return invalid("gemm: multipliers are per tensor or per column");
  if (!d.multiplier || !d.shift) return invalid("gemm: fixed_point needs multiplier and shift");
  for (std::int64_t j = 0, count = d.multiplier_per == Per::column ? n : 1; j < count; ++j) {
    if (d.multiplier[j] < (1 << 30)) return invalid("gemm: a multiplier is outside [2^30, 2^31)");
    if (d.shift[j] < 1 || d.shift[j] > 62) return invalid("gemm: a shift is outside [1, 62]");
  }
  return {};
}

Status check_requantize(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (d.requantize == Requantize::fixed_point) return check_fixed_point(d, n, quantized);
  return d.requantize == Requantize::float_multiplier ? Status{} : invalid("gemm: unknown requantization");
}

Status check_bits(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (!d.threshold && n > 0) return invalid("gemm: a b1 output needs thresholds");
  if (quantized) return invalid("gemm: a b1 output needs an integer a, or one of bits");
  if (d.bias_f32) return invalid("gemm: a b1 output takes an s32 bias");
  if (d.accumulate || d.residual != Type::none || d.activation != Activation::none)
    return invalid("gemm: a b1 output takes no accumulate, residual or activation");
  if (d.at_most)
    for (std::int64_t j = 0; j < n; ++j)
      if (d.at_most[j] > 1) return invalid("gemm: an at_most is neither 0 nor 1");
  return check_requantize(d, n, quantized);
}

/// `quantized`: a is float, and not to become bits.
Status check_c(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (d.c == Type::b1) return check_bits(d, n, quantized);
  const bool rounded = is_int8(d.c);
  if (d.c != Type::s32 && !is_float(d.c) && !rounded)
    return {Code::unsupported, "gemm: c must be s32, f32, bf16, f16, s8, u8 or b1"};
  if (d.bias_s32 && d.bias_f32) return invalid("gemm: two biases");
  if (d.c == Type::s32 && d.bias_f32) return invalid("gemm: an s32 output takes an s32 bias");
  if (d.accumulate && rounded) return invalid("gemm: accumulate needs an s32, f32, bf16 or f16 output");
  if (d.residual != Type::none) {
    if (!is_float(d.residual) && !is_int8(d.residual)) return invalid("gemm: residual must be f32, bf16, f16, s8 or u8");
    if (d.c == Type::s32) return invalid("gemm: an s32 output takes no residual");
    if (is_int8(d.residual) && !std::isfinite(d.residual_scale)) return invalid("gemm: residual_scale is not finite");
    if (is_int8(d.residual) && !in_range(d.residual_zero_point, d.residual))
      return invalid("gemm: residual_zero_point is outside the range of the residual's type");
  }
  switch (d.activation) {
    case Activation::none:
    case Activation::relu:
    case Activation::gelu:
    case Activation::silu:
      break;
    case Activation::clamp:
      if (!(d.lo <= d.hi)) return invalid("gemm: clamp needs lo <= hi");
      break;
    case Activation::leaky_relu:
      if (!std::isfinite(d.slope)) return invalid("gemm: slope is not finite");
      break;
    default:
      return invalid("gemm: unknown activation");
  }
  if (d.c == Type::s32 && d.activation != Activation::none) return invalid("gemm: an s32 output takes no activation");
  if (rounded) {
    if (!(d.c_scale > 0) || !std::isfinite(d.c_scale) || !std::isfinite(1.0f / d.c_scale))
      return invalid("gemm: c_scale (and its inverse) must be positive and finite");
    if (!in_range(d.c_zero_point, d.c)) return invalid("gemm: c_zero_point is outside the range of c's type");
  }
  return check_requantize(d, n, quantized);
}

/// The largest |a - zero_point| of any value.
std::int64_t a_reach(const GemmDesc& d, bool bits) {
  if (bits) return 1;
  if (is_float(d.a)) return d.dynamic == Dynamic::symmetric ? 127 : 255;
  if (d.a_zero_point_per == Per::row) return span(d.a) - 1;
  return std::max(d.a_zero_point - lowest(d.a), lowest(d.a) + span(d.a) - 1 - d.a_zero_point);
}

Status check_overflow(const GemmDesc& d, const Weights& w, bool bits) {
  const std::int64_t bound = WeightsAccess::header(w).sum_bound * a_reach(d, bits);
  if (bound > std::numeric_limits<std::int32_t>::max())
    return {Code::overflow, "gemm: k is so long that a sum could leave int32 (see max_k)"};
  std::int64_t bias = 0;
  if (d.bias_s32)
    for (std::int64_t j = 0; j < w.n(); ++j) bias = std::max(bias, std::abs(static_cast<std::int64_t>(d.bias_s32[j])));
  if (bound + bias > std::numeric_limits<std::int32_t>::max())
    return {Code::overflow, "gemm: sum and bias_s32 together could leave int32"};
  return {};
}

}  // namespace

Status check_plan(const GemmDesc& d, const Weights& w, const Kernel& kernel) noexcept {
  const bool bits = kernel.sums == Sums::bits;
  if (Status s = check_a(d, bits); !s.ok()) return s;
  if (bits)
    if (Status s = check_thresholds(d.a_threshold, d.a_threshold_per, w.k()); !s.ok()) return s;
  if (Status s = check_c(d, w.n(), is_float(d.a) && !bits); !s.ok()) return s;
  const BlobHeader& h = WeightsAccess::header(w);
  if (Status s = check_groups(d, h.group_size != 0); !s.ok()) return s;
  return check_overflow(d, w, bits);
}

Status check_output(const GemmDesc& d, std::int64_t n, const Product& p, const GemmArgs& item) noexcept {
  if (!item.c) return invalid("gemm: c is null");
  if (item.c_stride < elements_of(d.c, n)) return invalid("gemm: c_stride is shorter than a row");
  if (out_of_reach(item.m, item.c_stride)) return invalid(too_far);
  if (d.residual != Type::none) {
    if (!item.residual) return invalid("gemm: residual is null");
    if (item.residual_stride < n) return invalid("gemm: residual_stride is shorter than a row");
    if (out_of_reach(item.m, item.residual_stride)) return invalid(too_far);
  }
  if (is_float(d.a) && p.kernel->sums != Sums::bits) return {};
  if (d.a_scale_per != Per::tensor) {
    const std::int64_t count = item.m * (d.a_scale_per == Per::group ? p.groups.count : 1);
    if (!item.a_scale) return invalid("gemm: a_scale is null");
    for (std::int64_t i = 0; i < count; ++i)
      if (!std::isfinite(item.a_scale[i])) return invalid("gemm: an a_scale is not finite");
  }
  return {};
}

Status check_item(const GemmDesc& d, std::int64_t n, const Product& p, const GemmArgs& item) noexcept {
  if (item.m < 0) return invalid("gemm: negative m");
  if (item.m > m_limit) return invalid("gemm: m above 2^31 - 1");
  if (item.m == 0 || n == 0) return {};
  if (!item.a && p.k > 0) return invalid("gemm: a is null");
  if (item.a_stride < p.k) return invalid("gemm: a_stride is shorter than a row");
  if (out_of_reach(item.m, item.a_stride)) return invalid(too_far);
  if (is_4bit(d.a) && item.a_stride % 2 != 0) return invalid("gemm: an odd a_stride of 4-bit values");
  if (d.a == Type::b1 && !padding_is_zero(item.a, item.a_stride, item.m, p.real_k))
    return invalid("gemm: a bit of a beyond k is not 0");
  if (Status s = check_output(d, n, p, item); !s.ok()) return s;
  if (!is_float(d.a) && d.a_zero_point_per == Per::row) {
    if (!item.a_zero_point) return invalid("gemm: a_zero_point is null");
    for (std::int64_t i = 0; i < item.m; ++i)
      if (!in_range(item.a_zero_point[i], d.a)) return invalid("gemm: an a_zero_point is outside the range of a's type");
  }
  return {};
}

}  // namespace narrow
