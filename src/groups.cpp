// Packing in portable code: values are read column by column into bytes, some hundred k at a time, and stored from there as the
// kernels want them. Both loops are plain enough for the compiler's vectors; a weight is packed once and read many times.
#include "src/groups.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/common/float16.h"
#include "src/weights.h"

namespace narrow {
namespace {

constexpr int chunk = 128;  // of k, read at a time: a multiple of every k_unit

bool is_4bit(Type t) { return t == Type::s4 || t == Type::u4; }
bool is_float(Type t) { return t == Type::f32 || t == Type::bf16 || t == Type::f16; }
std::int64_t count_of(const WeightsDesc& d) { return (d.k + d.groups.size - 1) / d.groups.size; }
std::int64_t padded(std::int64_t k) { return (k + 7) / 8 * 8; }

float float_at(const void* data, Type type, std::int64_t i) {
  if (type == Type::f32) return static_cast<const float*>(data)[i];
  const std::uint16_t bits = static_cast<const std::uint16_t*>(data)[i];
  return type == Type::f16 ? to_float(F16{bits}) : to_float(Bf16{bits});
}

/// Element `index` of a row of nibbles.
int nibble(const std::uint8_t* row, std::int64_t index) { return row[index / 2] >> (index % 2 * 4) & 15; }

/// Index of group g of column j among values of groups; 4-bit ones have rows of whole bytes.
std::int64_t group_index(const WeightsDesc& d, std::int64_t j, std::int64_t g, bool nibbles) {
  const auto length = [&](std::int64_t n) { return nibbles ? (n + 1) / 2 * 2 : n; };
  return d.order == Order::nk ? j * length(count_of(d)) + g : g * length(d.n) + j;
}

/// An integer zero point of group g of column j, in terms of raw values.
int zero_point_at(const WeightsDesc& d, std::int64_t j, std::int64_t g) {
  const auto* data = static_cast<const std::uint8_t*>(d.groups.zero_point);
  const Type type = d.groups.zero_point_type;
  const std::int64_t at = group_index(d, j, g, is_4bit(type));
  if (type == Type::u4) return nibble(data, at);
  if (type == Type::s4) return (nibble(data, at) ^ 8) - 8;
  return d.type == Type::u4 ? data[at] : static_cast<std::int8_t>(data[at]);
}

/// Reads `count` k of `cols` columns as the bytes that kernels store: nibbles 0..15, or s8 + offset. out[column][chunk].
void read_values(const WeightsDesc& d, int offset, std::int64_t column, int cols, std::int64_t k, int count,
                 std::uint8_t (*out)[chunk]) {
  const std::int64_t length = d.order == Order::nk ? d.k : d.n;
  const auto* data = static_cast<const std::uint8_t*>(d.data);
  if (is_4bit(d.type)) {
    const std::uint8_t flip = d.type == Type::s4 ? 8 : 0;
    const std::int64_t stride = (d.stride ? d.stride : (length + 1) / 2 * 2) / 2;
    if (d.order == Order::nk) {
      for (int c = 0; c < cols; ++c) {
        const std::uint8_t* from = data + (column + c) * stride + k / 2;  // k is even
        for (int i = 0; i < count / 2; ++i) {
          out[c][2 * i] = (from[i] & 15) ^ flip;
          out[c][2 * i + 1] = from[i] >> 4 ^ flip;
        }
        if (count % 2) out[c][count - 1] = (from[count / 2] & 15) ^ flip;
      }
    } else {
      for (int i = 0; i < count; ++i)
        for (int c = 0; c < cols; ++c)
          out[c][i] = static_cast<std::uint8_t>(nibble(data + (k + i) * stride, column + c)) ^ flip;
    }
    return;
  }
  const std::int64_t stride = d.stride ? d.stride : length;
  if (d.order == Order::nk) {
    for (int c = 0; c < cols; ++c)
      for (int i = 0; i < count; ++i) out[c][i] = static_cast<std::uint8_t>(data[(column + c) * stride + k + i] + offset);
  } else {
    for (int i = 0; i < count; ++i)
      for (int c = 0; c < cols; ++c) out[c][i] = static_cast<std::uint8_t>(data[(k + i) * stride + column + c] + offset);
  }
}

/// Values of `count` k, a multiple of k_unit, of one panel -> its k-steps.
void store_values(const Geometry& g, bool nibbles, int count, const std::uint8_t (*values)[chunk], char* dst) {
  const int kr = g.kr;
  for (int k = 0; k < count; k += nibbles ? 2 * kr : kr)
    for (int c = 0; c < g.nr; ++c, dst += kr)
      for (int i = 0; i < kr; ++i) {
        const int low = values[c][k + i];
        dst[i] = static_cast<char>(nibbles ? low | values[c][k + kr + i] << 4 : low);
      }
}

std::int64_t block_bytes(const GroupFormat& f, Type b, const Geometry& g, std::int64_t k) {
  const std::int64_t zero_point = f.zero_points == ZeroPoints::integers ? 2 : f.zero_points == ZeroPoints::floats ? 4 : 0;
  return g.nr * ((is_4bit(b) ? padded(k) / 2 : padded(k)) + static_cast<std::int64_t>(size_of(f.scale)) + zero_point);
}

}  // namespace

GroupFormat group_format(const WeightsDesc& d) noexcept {
  if (d.groups.size == 0) return {};
  const ZeroPoints kind = !d.groups.zero_point                 ? ZeroPoints::constant
                          : is_float(d.groups.zero_point_type) ? ZeroPoints::floats
                                                               : ZeroPoints::integers;
  return {d.groups.size, d.groups.scale_type, kind};
}

Groups groups_of(const GroupFormat& f, Type b, const Geometry& g, std::int64_t k) noexcept {
  Groups out{};
  out.count = (k + f.size - 1) / f.size;
  out.size = f.size;
  out.k_padded = padded(k);
  out.scale = f.scale;
  out.zero_points = f.zero_points;
  out.b_zero = packed_zero(b, g);
  // u4 without zero points has the middle of its range, which is where s4 has its 0.
  out.sum_factor = f.zero_points != ZeroPoints::constant ? -1 : -(b == Type::u4 ? 8 : out.b_zero);
  out.a_sums = (out.k_padded + 63) / 64 * 64;
  out.a_scales = out.a_sums + 4 * out.count;
  return out;
}

std::int64_t group_panel_bytes(const GroupFormat& f, Type b, const Geometry& g, std::int64_t k) noexcept {
  if (k == 0) return 0;
  const std::int64_t whole = (k - 1) / f.size;
  return whole * block_bytes(f, b, g, f.size) + block_bytes(f, b, g, k - whole * f.size);
}

Status check_groups(const WeightsDesc& d) noexcept {
  auto bad = [](const char* reason) { return Status{Code::invalid_argument, reason}; };
  const GroupsDesc& g = d.groups;
  if (g.size < 0 || g.size % 8 != 0) return bad("weights: the size of groups is not a multiple of 8");
  if (g.size > k_limit) return bad("weights: groups longer than 2^24");
  if (!is_float(g.scale_type)) return bad("weights: scales of groups are f32, bf16 or f16");
  if (is_4bit(d.type) && d.stride % 2 != 0) return bad("weights: an odd stride of 4-bit values");
  const Type z = g.zero_point_type;
  if (g.zero_point && z != Type::u8 && !is_4bit(z) && !is_float(z))
    return bad("weights: zero points of groups are u8, u4, s4, f32, bf16 or f16");
  if (g.zero_point && is_4bit(z) && d.type == Type::s8) return bad("weights: zero points of s8 in groups are u8 or floats");
  if (g.zero_point && is_4bit(z) && z != d.type) return bad("weights: 4-bit zero points of another type than the weights");
  return {};
}

Status check_group_values(const WeightsDesc& d) noexcept {
  auto bad = [](const char* reason) { return Status{Code::invalid_argument, reason}; };
  const std::int64_t count = count_of(d);
  if (d.n == 0 || count == 0) return {};
  if (!d.groups.scale) return bad("weights: groups without scales");
  const bool floats = d.groups.zero_point && is_float(d.groups.zero_point_type);
  for (std::int64_t i = 0; i < d.n * count; ++i) {
    if (!std::isfinite(float_at(d.groups.scale, d.groups.scale_type, i))) return bad("weights: a scale is not finite");
    if (floats && !std::isfinite(float_at(d.groups.zero_point, d.groups.zero_point_type, i)))
      return bad("weights: a zero point is not finite");
  }
  if (d.groups.zero_point && d.groups.zero_point_type == Type::u8 && is_4bit(d.type))
    for (std::int64_t j = 0; j < d.n; ++j)
      for (std::int64_t g = 0; g < count; ++g) {
        const int z = zero_point_at(d, j, g);
        if (d.type == Type::u4 ? z > 15 : z < -8 || z > 7)
          return bad("weights: a zero point is outside the range of the weights");
      }
  return {};
}

void pack_group_panel(const WeightsDesc& d, const Geometry& geometry, std::int64_t column, char* panel) noexcept {
  const GroupFormat format = group_format(d);
  const bool nibbles = is_4bit(d.type);
  const int nr = geometry.nr, cols = static_cast<int>(std::min<std::int64_t>(nr, d.n - column));
  std::uint8_t values[max_tile_cols][chunk] = {};
  for (std::int64_t g = 0; g < count_of(d); ++g) {
    const std::int64_t first = g * d.groups.size, k = std::min(d.groups.size, d.k - first);
    for (std::int64_t done = 0; done < k; done += chunk) {
      const int count = static_cast<int>(std::min<std::int64_t>(chunk, k - done)), stored = static_cast<int>(padded(count));
      read_values(d, geometry.b_offset, column, cols, first + done, count, values);
      for (int c = 0; c < cols; ++c) std::fill(values[c] + count, values[c] + stored, std::uint8_t{0});
      store_values(geometry, nibbles, stored, values, panel);
      panel += stored * nr / (nibbles ? 2 : 1);
    }
    const auto size = static_cast<std::int64_t>(size_of(format.scale));
    for (int c = 0; c < nr; ++c, panel += size) {
      const auto* from = static_cast<const char*>(d.groups.scale) + group_index(d, column + c, g, false) * size;
      if (c < cols)
        std::memcpy(panel, from, static_cast<std::size_t>(size));
      else
        std::memset(panel, 0, static_cast<std::size_t>(size));
    }
    if (format.zero_points == ZeroPoints::integers)
      for (int c = 0; c < nr; ++c, panel += 2) {
        const auto value =
            static_cast<std::int16_t>(c < cols ? zero_point_at(d, column + c, g) + packed_zero(d.type, geometry) : 0);
        std::memcpy(panel, &value, 2);
      }
    if (format.zero_points == ZeroPoints::floats)
      for (int c = 0; c < nr; ++c, panel += 4) {
        float value = 0;
        if (c < cols) {
          const std::int64_t at = group_index(d, column + c, g, false);
          value = float_at(d.groups.scale, format.scale, at) * float_at(d.groups.zero_point, d.groups.zero_point_type, at);
        }
        std::memcpy(panel, &value, 4);
      }
  }
}

}  // namespace narrow
