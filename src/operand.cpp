#include "src/operand.h"

#include <algorithm>
#include <cstring>

#include "src/cpu.h"

namespace narrow {
namespace {

/// Rows in the order of k that the panels have.
const char* gather_rows(const Product& p, const char* a, std::int64_t stride, std::int64_t rows, char* out) {
  const std::int64_t out_stride = gathered_stride(p);
  const auto gather = [&](auto element) {
    using T = decltype(element);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t k = 0; k < p.k; ++k)
        reinterpret_cast<T*>(out)[i * out_stride + k] = reinterpret_cast<const T*>(a)[i * stride + p.permutation[k]];
  };
  if (is_4bit(p.a)) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const char* const row = a + i * stride / 2;
      const auto nibble = [&](std::int64_t k) { return row[p.permutation[k] / 2] >> p.permutation[k] % 2 * 4 & 15; };
      for (std::int64_t k = 0; k < p.k; k += 2)
        out[(i * out_stride + k) / 2] = static_cast<char>(nibble(k) | (k + 1 < p.k ? nibble(k + 1) << 4 : 0));
    }
    return out;
  }
  if (size_of(p.a) == 4)
    gather(std::uint32_t{});
  else if (size_of(p.a) == 2)
    gather(std::uint16_t{});
  else
    gather(std::uint8_t{});
  return out;
}

}  // namespace

void pack_rows(const Product& p, const GemmArgs& item, std::int64_t row, std::int64_t count, const Packed& packed,
               std::int64_t to) {
  const Geometry& g = p.kernel->geometry;
  const bool quantized = g.a != Type::b1 && is_float(p.a);
  const std::int64_t stride = stride_of_a(p, item);
  const char* src = static_cast<const char*>(item.a) + bytes_of(p.a, row * stride);
  if (p.permutation) src = gather_rows(p, src, stride, count, packed.gathered + to * bytes_of(p.a, gathered_stride(p)));
  p.kernel->pack_a({.src = src,
                    .src_type = p.flips ? g.a : p.a,
                    .stride = p.permutation ? gathered_stride(p) : stride,
                    .rows = static_cast<int>(count),
                    .k = p.k,
                    .k_padded = p.packed_row_bytes / static_cast<std::int64_t>(size_of(g.a)),
                    .far = item.m * bytes_of(p.a, stride) > l2_bytes(),
                    .dynamic = p.dynamic,
                    .threshold = p.threshold,
                    .threshold_stride = p.threshold_stride,
                    .dst = packed.a + to / g.row_group * p.packed_row_bytes * g.row_group,
                    .row_sum = p.row_sums ? packed.row_sum + to : nullptr,
                    .row_begin = unpacks(p, item.m) ? packed.row_begin + to : nullptr,
                    .scale = quantized ? packed.scale + to : nullptr,
                    .zero_point = quantized ? packed.zero_point + to : nullptr,
                    .groups = &p.groups,
                    .dst_stride = p.packed_row_bytes,
                    .group_scale = offset(item.a_scale, p.groups.row_scales ? row * p.groups.count : 0)});
  if (quantized) return;
  if (p.spec.row_scale) std::copy_n(item.a_scale + row, count, packed.scale + to);
  if (p.spec.row_zero_point)
    for (std::int64_t r = 0; r < count; ++r) packed.zero_point[to + r] = item.a_zero_point[row + r] + a_offset(p.a, g.a);
}

Rows packed_rows(const Product& p, const Packed& packed) {
  return {packed.a,
          p.packed_row_bytes * p.kernel->geometry.row_group,
          p.spec.row_scale ? packed.scale : nullptr,
          p.spec.row_zero_point ? packed.zero_point : nullptr,
          p.row_sums ? packed.row_sum : nullptr,
          packed.row_begin};
}

Rows rows_with_tail(const Product& p, const GemmArgs& item, const Packed& packed, std::int64_t count) {
  Rows rows = in_place(p, item);
  rows.tail = packed.a;
  rows.tail_rows = count;
  rows.tail_stride = std::min<std::ptrdiff_t>(rows.a_stride, p.packed_row_bytes);
  return rows;
}

void copy_tail(const Product& p, const GemmArgs& item, std::int64_t count, const Packed& packed) {
  const Rows rows = rows_with_tail(p, item, packed, count);
  const auto element = static_cast<std::ptrdiff_t>(size_of(p.a));
  const std::ptrdiff_t row_bytes = p.k * element;
  const char* const from = rows.a + (item.m - count) * rows.a_stride;
  const std::ptrdiff_t last = (count - 1) * rows.tail_stride;
  const auto beyond = static_cast<std::size_t>((p.k_padded - p.k) * element);
  if (rows.tail_stride == rows.a_stride) {
    std::memcpy(packed.a, from, static_cast<std::size_t>(last + row_bytes));
    std::memset(packed.a + last + row_bytes, 0, beyond);
    return;
  }
  for (std::int64_t r = 0; r < count; ++r) {
    char* const row = packed.a + r * rows.tail_stride;
    std::memcpy(row, from + r * rows.a_stride, static_cast<std::size_t>(row_bytes));
    std::memset(row + row_bytes, 0, beyond);
  }
}

std::int64_t tail_rows(const Product& p, std::int64_t m) { return std::min<std::int64_t>(m, p.kernel->geometry.max_rows[0]); }

}  // namespace narrow
