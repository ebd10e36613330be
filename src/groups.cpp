// Packing in portable code: values are read column by column into bytes, some hundred k at a time, and stored from there as the
// kernels want them. Both loops are plain enough for the compiler's vectors; a weight is packed once and read many times.
#include "src/groups.h"

#include <algorithm>
#include <cstring>

#include "kernels/common/float16.h"
#include "src/raw.h"
#include "src/status.h"
#include "src/weights.h"

namespace narrow {
namespace {

std::int64_t count_of(const WeightsDesc& d) { return (d.k + d.groups.size - 1) / d.groups.size; }
std::int64_t padded(std::int64_t k) { return (k + 7) / 8 * 8; }

/// Which of two values of 4 bits share a byte with the low nibble's: those so many columns and k further.
struct HighNibble {
  int columns, k;
};

/// Values of `count` k, a multiple of k_unit, of `columns` columns and, where they have 4 bits, of those of the high nibbles ->
/// the k-steps of a panel, of kr each.
void store_values(int columns, int kr, const HighNibble* high, int count, const std::uint8_t (*values)[read_chunk], char* dst) {
  for (int k = 0; k < count; k += kr + (high ? high->k : 0))
    for (int c = 0; c < columns; ++c, dst += kr)
      for (int i = 0; i < kr; ++i)
        dst[i] = static_cast<char>(values[c][k + i] | (high ? values[c + high->columns][k + high->k + i] << 4 : 0));
}

std::int64_t block_bytes(const GroupFormat& f, Type b, const Geometry& g, std::int64_t k) {
  const std::int64_t zero_point = f.zero_points == ZeroPoints::integers ? 2 : f.zero_points == ZeroPoints::floats ? 4 : 0;
  return g.nr * ((is_4bit(b) ? padded(k) / 2 : padded(k)) + static_cast<std::int64_t>(size_of(f.scale)) + zero_point);
}

/// One value of a type, exactly.
char* store(char* dst, float value, Type type) {
  const std::uint16_t half = type == Type::f16 ? to_f16(value).bits : to_bf16(value).bits;
  const std::size_t size = size_of(type);
  std::memcpy(dst, size == 4 ? static_cast<const void*>(&value) : &half, size);
  return dst + size;
}

}  // namespace

GroupFormat group_format(const WeightsDesc& d) noexcept {
  if (d.groups.size == 0) return {};
  const bool quantized = d.data_type != Type::none;
  const bool floats =
      d.layout == Layout::ggml_q4_1 || (!quantized && d.groups.zero_point && is_float(d.groups.zero_point_type));
  const bool integers = quantized ? d.type == Type::u4 : d.groups.zero_point && !floats;
  const ZeroPoints kind = floats ? ZeroPoints::floats : integers ? ZeroPoints::integers : ZeroPoints::constant;
  return {d.groups.size, d.groups.scale_type, kind};
}

Groups groups_of(const GroupFormat& f, Type b, const Geometry& g, std::int64_t k) noexcept {
  Groups out{};
  out.count = (k + f.size - 1) / f.size;
  out.size = f.size;
  out.k_padded = padded(k);
  out.bytes = block_bytes(f, b, g, f.size);
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
  const GroupsDesc& g = d.groups;
  if (g.size < 0 || g.size % 8 != 0) return invalid("weights: the size of groups is not a multiple of 8");
  if (g.size > k_limit) return invalid("weights: groups longer than 2^24");
  if (!is_float(g.scale_type)) return invalid("weights: scales of groups are f32, bf16 or f16");
  const Type z = g.zero_point_type;
  if (g.zero_point && z != Type::u8 && !is_4bit(z) && !is_float(z))
    return invalid("weights: zero points of groups are u8, u4, s4, f32, bf16 or f16");
  if (g.zero_point && is_4bit(z) && d.type == Type::s8) return invalid("weights: zero points of s8 in groups are u8 or floats");
  if (g.zero_point && is_4bit(z) && z != d.type) return invalid("weights: 4-bit zero points of another type than the weights");
  return {};
}

Status check_group_values(const WeightsDesc& d) noexcept {
  if (d.n == 0 || d.k == 0 || d.data_type != Type::none) return {};
  if (!d.groups.scale) return invalid("weights: groups without scales");
  const bool bytes = d.groups.zero_point && d.groups.zero_point_type == Type::u8;
  const int lo = d.type == Type::u4 ? 0 : d.type == Type::s4 ? -8 : -128, hi = d.type == Type::s8 ? 127 : lo + 15;
  const RawWeights raw(d);
  GroupColumns columns;
  for (std::int64_t j = 0; j < d.n; j += max_tile_cols)
    for (std::int64_t g = 0; g < count_of(d); ++g) {
      const int cols = static_cast<int>(std::min<std::int64_t>(max_tile_cols, d.n - j));
      if (!raw.group(g, j, cols, &columns)) return invalid("weights: a scale, a zero point or their product is not finite");
      for (int c = 0; c < cols && bytes; ++c)
        if (columns.zero_point[c] < lo || columns.zero_point[c] > hi)
          return invalid("weights: a zero point is outside the range of the weights");
    }
  return {};
}

bool pack_group_panel(const WeightsDesc& d, const Geometry& geometry, std::int64_t column, char* panel) noexcept {
  const GroupFormat format = group_format(d);
  const bool nibbles = is_4bit(d.type);
  const int nr = geometry.nr, cols = static_cast<int>(std::min<std::int64_t>(nr, d.n - column));
  const HighNibble high = {nr / 2, 0};
  const RawWeights raw(d);
  GroupColumns columns{};
  std::uint8_t values[max_tile_cols][read_chunk] = {};
  bool finite = true;
  for (std::int64_t g = 0; g < count_of(d); ++g) {
    const std::int64_t first = g * d.groups.size, k = std::min(d.groups.size, d.k - first);
    finite &= raw.group(g, column, cols, &columns);
    for (std::int64_t done = 0; done < k; done += read_chunk) {
      const int count = static_cast<int>(std::min<std::int64_t>(read_chunk, k - done)),
                stored = static_cast<int>(padded(count));
      raw.read(column, cols, first + done, count, columns, geometry.b_offset, values);
      for (int c = 0; c < cols; ++c) std::fill(values[c] + count, values[c] + stored, std::uint8_t{0});
      store_values(nibbles ? nr / 2 : nr, geometry.kr, nibbles ? &high : nullptr, stored, values, panel);
      panel += stored * nr / (nibbles ? 2 : 1);
    }
    for (int c = 0; c < nr; ++c) panel = store(panel, columns.scale[c], format.scale);
    if (format.zero_points == ZeroPoints::integers)
      for (int c = 0; c < nr; ++c, panel += 2) {
        const auto value = static_cast<std::int16_t>(c < cols ? columns.zero_point[c] + packed_zero(d.type, geometry) : 0);
        std::memcpy(panel, &value, 2);
      }
    if (format.zero_points == ZeroPoints::floats)
      for (int c = 0; c < nr; ++c) panel = store(panel, columns.offset[c], Type::f32);
  }
  return finite;
}

bool pack_column_panel(const WeightsDesc& d, const Kernel& kernel, std::int64_t column, char* panel, std::int32_t* sums,
                       float* scales, std::int32_t* zero_points) noexcept {
  const Geometry& g = kernel.geometry;
  const int cols = static_cast<int>(std::min<std::int64_t>(g.nr, d.n - column));
  const RawWeights raw(d);
  GroupColumns columns{};
  std::uint8_t values[max_tile_cols][read_chunk] = {};
  bool finite = true;
  if (d.data_type != Type::none) {
    finite = raw.group(0, column, cols, &columns);
    std::copy_n(columns.scale, cols, scales);
    if (zero_points) std::copy_n(columns.zero_point, cols, zero_points);
  }
  std::fill_n(sums, cols, 0);
  const int most = read_chunk / g.k_unit * g.k_unit;
  for (std::int64_t k = 0; k < d.k; k += most) {
    const int count = static_cast<int>(std::min<std::int64_t>(most, d.k - k));
    const int stored = (count + g.k_unit - 1) / g.k_unit * g.k_unit;
    raw.read(column, cols, k, count, columns, 0, values);
    if (is_4bit(d.type)) {
      for (int c = 0; c < cols; ++c) {
        std::fill(values[c] + count, values[c] + stored, std::uint8_t{0});
        for (int i = 0; i < count; ++i) sums[c] += values[c][i];
      }
      const HighNibble high = {0, half_step(g)};
      store_values(g.nr, half_step(g), &high, stored, values, panel);
    } else {
      std::int32_t sum[max_tile_cols];
      kernel.pack_b({values, Order::nk, read_chunk, count, stored, cols, panel, 0, false});
      kernel.sum_columns(panel, stored, cols, sum);
      for (int c = 0; c < cols; ++c) sums[c] += sum[c];
    }
    panel += bytes_of_panel(g, stored);
  }
  return finite;
}

}  // namespace narrow
