// Weights with groups of k, decoded naively: the definition of weights.h and docs/arithmetic.md, one value at a time.
#pragma once

#include <vector>

#include "narrow/narrow.h"
#include "src/bits.h"
#include "tests/reference_quantize.h"

namespace narrow::test {

/// Element (row, column) of a matrix whose rows of `stride` elements begin with a byte of their own where elements are nibbles.
inline std::int32_t integer_at(const void* data, Type type, std::int64_t row, std::int64_t stride, std::int64_t column) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  if (!is_4bit(type)) {
    const std::uint8_t byte = bytes[row * stride + column];
    return type == Type::s8 ? static_cast<std::int8_t>(byte) : byte;
  }
  const std::int32_t nibble = bytes[row * ((stride + 1) / 2) + column / 2] >> (column % 2 != 0 ? 4 : 0) & 15;
  return type == Type::s4 && nibble > 7 ? nibble - 16 : nibble;
}

inline std::int64_t group_count(const WeightsDesc& w) { return (w.k + w.groups.size - 1) / w.groups.size; }

inline std::int32_t group_weight(const WeightsDesc& w, std::int64_t k, std::int64_t j) {
  const bool nk = w.order == Order::nk;
  return integer_at(w.data, w.type, nk ? j : k, w.stride != 0 ? w.stride : nk ? w.k : w.n, nk ? k : j);
}

inline float group_scale(const WeightsDesc& w, std::int64_t g, std::int64_t j) {
  return load(w.groups.scale, w.groups.scale_type, w.order == Order::nk ? j * group_count(w) + g : g * w.n + j);
}

/// fold over groups of the row q (integers, with `row_scale(g)` for each group or none) and column j.
template <class RowScale>
float reference_group_sum(const WeightsDesc& w, const std::vector<std::int32_t>& q, bool row_scales, const RowScale& row_scale,
                          std::int64_t j) {
  const GroupsDesc& groups = w.groups;
  const bool nk = w.order == Order::nk, floats = groups.zero_point != nullptr && is_float(groups.zero_point_type);
  float result = 0;
  for (std::int64_t g = 0; g < group_count(w); ++g) {
    const std::int64_t at = nk ? j * group_count(w) + g : g * w.n + j;
    std::int32_t zero_point = w.type == Type::u4 ? 8 : 0;
    if (floats) {
      zero_point = 0;
    } else if (groups.zero_point != nullptr) {
      const Type type = groups.zero_point_type == Type::u8 && w.type != Type::u4 ? Type::s8 : groups.zero_point_type;
      zero_point = integer_at(groups.zero_point, type, nk ? j : g, nk ? group_count(w) : w.n, nk ? g : j);
    }
    std::int64_t sum = 0, a_sum = 0;
    for (std::int64_t p = g * groups.size; p < std::min(w.k, (g + 1) * groups.size); ++p) {
      sum += static_cast<std::int64_t>(q[static_cast<std::size_t>(p)]) * (group_weight(w, p, j) - zero_point);
      a_sum += q[static_cast<std::size_t>(p)];
    }
    const float scale = group_scale(w, g, j);
    if (floats) {
      const float offset = scale * load(groups.zero_point, groups.zero_point_type, at);
      float by = static_cast<float>(-a_sum);
      if (row_scales) by = by * row_scale(g);
      result = std::fmaf(by, offset, result);
    }
    result = std::fmaf(static_cast<float>(sum), row_scales ? scale * row_scale(g) : scale, result);
  }
  return result;
}

}  // namespace narrow::test
