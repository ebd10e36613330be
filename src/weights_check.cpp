// What the description of raw weights may say, and what their arrays may hold.
#include <cmath>

#include "src/bits.h"
#include "src/raw.h"
#include "src/status.h"
#include "src/weights.h"

namespace narrow {
namespace {

Status check(const WeightsDesc& d) {
  if (d.type != Type::s8 && d.type != Type::b1 && !is_4bit(d.type))
    return {Code::unsupported, "weights: type must be s8, s4, u4 or b1"};
  if (d.type == Type::b1 && d.operand != Type::b1 && d.operand != Type::s8)
    return {Code::unsupported, "weights: what bits are multiplied with is b1 or s8"};
  if (d.type == Type::b1 && d.groups.size != 0) return {Code::unsupported, "weights: bits have no groups"};
  if (d.k < 0 || d.n < 0) return invalid("weights: negative k or n");
  if (d.n > n_limit) return {Code::unsupported, "weights: n above 2^31 - 1"};
  if (d.k > k_limit) return {Code::overflow, "weights: k above 2^24 - 1"};
  if (d.order != Order::nk && d.order != Order::kn) return invalid("weights: order is neither nk nor kn");
  if (d.type == Type::b1 && d.order != Order::nk) return {Code::unsupported, "weights: bits come in the order nk"};
  if (d.type == Type::b1 && d.zero_point) return {Code::unsupported, "weights: bits have no zero points"};
  if (d.filter_groups < 0 || d.filter_groups > n_limit || (d.filter_groups && d.n % d.filter_groups != 0))
    return invalid("weights: a negative number of groups of filters, or one that does not divide the columns");
  if (d.filter_groups && d.type != Type::b1) return {Code::unsupported, "weights: only bits have groups of filters"};
  const bool filters = d.filter_groups || d.filter_h || d.filter_w || d.filter_c;
  if (filters && (d.type != Type::b1 || !is_filter_k(d.k, d.filter_h, d.filter_w, d.filter_c)))
    return invalid("weights: columns of bits that are no filters of such taps and channels");
  if (d.stride != 0 && d.stride < row_elements(d)) return invalid("weights: stride shorter than a row");
  if (out_of_reach(std::max(d.k, d.n), d.stride)) return invalid("weights: rows so far apart that their bytes leave 64 bits");
  if (is_4bit(d.type) && d.stride % 2 != 0 && d.data_type == Type::none)
    return invalid("weights: an odd stride of 4-bit values");
  if (d.groups.size != 0) return check_groups(d);
  if (!valid(d.scale_per) || !valid(d.zero_point_per))
    return invalid("weights: scales and zero points are per tensor or per column");
  return {};
}

}  // namespace

Status check_weights(const WeightsDesc& desc, WeightsDesc* out) noexcept {
  if (Status s = normalize(desc, out); !s.ok()) return s;
  return check(*out);
}

Status check_weight_values(const WeightsDesc& d) noexcept {
  if (!d.data && d.k > 0 && d.n > 0) return invalid("weights: data is null");
  if (d.groups.size != 0) return check_group_values(d);
  if (d.data_type != Type::none) return {};  // looked at as they are quantized
  if (d.scale)
    for (std::int64_t j = 0, count = d.scale_per == Per::column ? d.n : 1; j < count; ++j)
      if (!std::isfinite(d.scale[j])) return invalid("weights: a scale is not finite");
  const std::int32_t lo = d.type == Type::s4 ? -8 : d.type == Type::u4 ? 0 : -128, hi = is_4bit(d.type) ? lo + 15 : 127;
  if (d.zero_point)
    for (std::int64_t j = 0, count = d.zero_point_per == Per::column ? d.n : 1; j < count; ++j)
      if (d.zero_point[j] < lo || d.zero_point[j] > hi)
        return invalid("weights: a zero point is outside the range of the weights");
  if (d.type == Type::b1 && !padding_is_zero(d.data, stride_of(d), d.n, d.k))
    return invalid("weights: a bit beyond k is not 0");
  return {};
}

}  // namespace narrow
