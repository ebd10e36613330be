#include "src/unit.h"

#include <algorithm>
#include <cstring>

#include "src/bits.h"
#include "src/pass.h"

namespace narrow {
namespace {

/// Tiles of so many rows whose sums are finished together: the epilogue sets out less often, and the sums are still in L1. But
/// rows of C that are a multiple of 4096 bytes apart would, so many at once, crowd each other out of the few sets that they
/// share: of these a tile at a time, whose stores then go on beside the sums of the next.
std::int64_t tiles_together(std::int64_t tile_rows, std::int64_t c_row_bytes) {
  constexpr std::int64_t rows = 32;
  return c_row_bytes % 4096 == 0 || tile_rows > rows ? 1 : rows / tile_rows;
}

alignas(64) constexpr std::int32_t zeros[max_tile_cols] = {};

/// The first byte of C at (row, column) of the item; a whole one where C is bits.
char* c_at(const Product& p, const GemmArgs& item, std::int64_t row, std::int64_t column) {
  const auto size = static_cast<std::int64_t>(size_of(p.spec.c));
  return static_cast<char*>(item.c) + row * item.c_stride * size + (p.spec.c == Type::b1 ? column / 8 : column * size);
}

/// Bits of C to write for `cols` columns: the last ones are followed by zeros.
int bit_columns(const Product& p, std::int64_t column, int cols) {
  return column + cols == p.n ? static_cast<int>(8 * bit_row_bytes(p.n) - column) : cols;
}

/// Sums of one tile, at (row, column) of the item, on to C.
void finish(const Product& p, const GemmArgs& item, const Rows& rows, const Columns& columns, const std::int32_t* sum,
            std::ptrdiff_t sum_stride, std::int64_t row, std::int64_t column, int row_count, int cols) {
  const auto c_size = static_cast<std::ptrdiff_t>(size_of(p.spec.c));
  const auto r_size = static_cast<std::ptrdiff_t>(size_of(p.spec.residual));
  p.epilogue({.spec = &p.spec,
              .columns = &columns,
              .sum = sum,
              .sum_stride = sum_stride,
              .rows = row_count,
              .cols = cols,
              .bit_cols = bit_columns(p, column, cols),
              .c = c_at(p, item, row, column),
              .c_stride = item.c_stride * c_size,
              .residual = offset(static_cast<const char*>(item.residual), (row * item.residual_stride + column) * r_size),
              .residual_stride = item.residual_stride * r_size,
              .a_scale = rows.scale,
              .a_zero_point = rows.zero_point,
              .row_sum = rows.row_sum});
}

/// What tiles need to write C themselves.
Reals reals_of(const EpilogueSpec& spec, const Rows& a, const Columns& columns) {
  static constexpr float one = 1;
  const int top_bit = spec.c == Type::u8 ? 128 : 0;
  return {.scale = columns.scale,
          .bias = columns.bias,
          .row_scale = spec.row_scale ? a.scale : &one,
          .row_scale_step = spec.row_scale,
          .bytes = is_8bit(spec.c),
          .lo = static_cast<float>(spec.c_lo - spec.c_zero_point),
          .hi = static_cast<float>(spec.c_hi - spec.c_zero_point),
          .zero_point = static_cast<std::int16_t>(spec.c_zero_point - top_bit),
          .top_bit = static_cast<std::uint8_t>(top_bit)};
}

/// Bytes from the beginning of a row (group) of A to its values at k.
std::ptrdiff_t bytes_to_k(const Geometry& g, std::int64_t k) {
  return k * static_cast<std::int64_t>(size_of(g.a)) * g.row_group;
}

/// Bytes of a panel up to its values at k: a multiple of kr or, where there are groups, the end of one.
std::ptrdiff_t panel_bytes_to_k(const Product& p, std::int64_t k) {
  if (k == p.k_padded) return p.panel_bytes;
  return p.groups.count ? divide(k, p.groups.size) * p.groups.bytes : k / p.kernel->geometry.kr * p.step_bytes;
}

/// The groups of a pass over k from there on, seen from where its rows of A begin.
Groups groups_from_k(const Groups& all, std::int64_t k, std::int64_t count) {
  Groups g = all;
  if (!g.count) return g;
  const std::ptrdiff_t before = k / g.size * static_cast<std::ptrdiff_t>(sizeof(float)) - k;
  g.k_padded = count;
  g.a_sums += before;
  g.a_scales += before;
  return g;
}

/// A strip whose sums are finished from a buffer: those of some tiles together, over and over in the same lines, or, where k
/// takes several passes, the whole strip's. `first` is the first of these, or the only one.
void compute_buffered(const Product& p, const GemmArgs& item, const Rows& rows, const Unit& unit, std::int64_t kc,
                      const Columns& columns, std::int64_t column, int cols, const Pass& first) {
  const Geometry& g = p.kernel->geometry;
  alignas(64) std::int32_t sums[max_carried_rows * max_tile_cols];
  const auto c_size = static_cast<std::ptrdiff_t>(size_of(p.spec.c));
  const std::int64_t batch = tiles_together(first.tiles[0] * g.row_group, item.c_stride * c_size);
  Pass pass = first;
  Groups groups;
  std::int64_t k = 0;
  do {
    const bool carried = kc < unit.k_count, last = unit.k_count - k <= kc;
    if (carried) {
      const char* const b = static_cast<const char*>(first.args.b);
      const std::int64_t count = std::min(kc, unit.k_count - k);
      const std::ptrdiff_t begin = panel_bytes_to_k(p, k), end = panel_bytes_to_k(p, k + count);
      pass = first;
      pass.args.a = static_cast<const char*>(first.args.a) + bytes_to_k(g, k);
      if (first.tail) pass.tail += bytes_to_k(g, k);
      pass.args.b = b + begin;
      pass.args.steps = (end - begin) / p.step_bytes;
      groups = groups_from_k(p.groups, k, count);
      pass.args.groups = &groups;
      if (!last) pass.after = b + end;
      pass.ask(p);
      pass.carried = k > 0;
      if (k > 0) {
        pass.args.init_stride = pass.args.c_stride;
        pass.args.row_begin = zeros;
      }
    }
    pass.unpack(p);
    pass.args.c = sums;
    for (std::int64_t t = 0, row = 0; t < pass.tiles.count; t += batch) {
      std::int32_t* const c = pass.args.c;
      const std::int64_t end = std::min(t + batch, pass.tiles.count);
      const std::int64_t done = std::min(pass.tiles.begin(end) * g.row_group, unit.rows);
      if (last && item.m > p.near_rows)
        ask_to_write(c_at(p, item, unit.row + row, column), item.c_stride * c_size, done - row, cols * c_size);
      pass.run_tiles(p, t, end);
      if (last)
        finish(p, item, rows.from(row, g.row_group), columns, c, pass.args.c_stride, unit.row + row, column,
               static_cast<int>(done - row), cols);
      if (!carried) pass.args.c = sums;
      row = done;
    }
  } while ((k += kc) < unit.k_count);
}

}  // namespace

ColumnSource columns_from(const ColumnSource& all, std::int64_t j) noexcept {
  ColumnSource c = all;
  c.sum = offset(all.sum, j);
  c.scale = offset(all.scale, j * all.scale_stride);
  c.zero_point = offset(all.zero_point, j * all.zero_point_stride);
  c.bias_s32 = offset(all.bias_s32, j);
  c.threshold = offset(all.threshold, j);
  c.at_most = offset(all.at_most, j);
  c.bias_f32 = offset(all.bias_f32, j);
  c.multiplier = offset(all.multiplier, j * all.multiplier_stride);
  c.shift = offset(all.shift, j * all.multiplier_stride);
  return c;
}

void compute(const Product& p, const GemmArgs& item, const Rows& rows, const Unit& unit, int strip_panels, std::int64_t kc) {
  const Kernel& kernel = *p.kernel;
  const Geometry& g = kernel.geometry;
  char* const buffer = unpacks(p, unit.rows) ? unit.unpacked : nullptr;
  const int* const max_rows = (buffer ? kernel.unpacking.geometry : g).max_rows;
  const Parts strips = split(unit.panels, strip_panels);
  const Output output = unit.partial ? Output::sums : unit.k_count <= kc ? p.output : Output::buffer;
  const bool plain = output == Output::sums && (unit.partial || p.from_zero);
  const TileTable run = tile_table(p, output, buffer);
  Columns columns;
  Pass pass;
  pass.c_asked = 0;
  pass.buffer = buffer;
  pass.row_group = g.row_group;
  pass.carried = false;
  pass.apart = unit.rows <= p.stream_rows;
  pass.c_panel_bytes = 4 * g.nr;
  std::ptrdiff_t steps = unit.k_count == p.k_padded ? p.steps : divide(unit.k_count, g.kr);
  if (p.window.rows) steps /= p.window.rows * p.window.runs;
  pass.args.init = plain || kernel.sums == Sums::groups ? (kernel.sums == Sums::bits ? zeros : nullptr) : columns.init;
  pass.args.init_stride = 0;
  pass.args.groups = &p.groups;
  pass.args.window = &p.window;
  std::int64_t panel = unit.panel;
  for (std::int64_t s = 0; s < strips.count; ++s) {
    const int panels = static_cast<int>(strips[s]);
    const std::int64_t column = panel * g.nr;
    const int cols = static_cast<int>(std::min<std::int64_t>(panels * g.nr, p.n - column));
    if (!plain && (s == 0 || !p.columns_alike))
      kernel.prepare(p.spec, columns_from(p.columns, column), {cols, panels * g.nr}, &columns);
    const char* const b = p.panels + panel * p.panel_stride;
    panel += panels;

    if (output == Output::bits && !p.window.rows) kernel.limits(columns.threshold, panels * g.nr, columns.init);
    pass.run = run[pass.apart ? 0 : panels - 1];
    pass.tiles = split_rows(unit.rows, max_rows[panels - 1], g.row_group);
    pass.rows = unit.rows;
    pass.args.a = rows.a;
    pass.args.a_stride = rows.a_stride;
    pass.tail = nullptr;
    pass.tail_stride = rows.tail_stride;
    if (rows.tail && unit.row + unit.rows == item.m)
      pass.tail = rows.tail + (rows.tail_rows - pass.tiles[pass.tiles.count - 1]) * rows.tail_stride;
    pass.args.b = b;
    pass.args.b_stride = p.panel_stride;
    pass.args.steps = steps;
    pass.args.row_begin = buffer ? rows.row_begin : nullptr;
    pass.args.first_column = p.window.column + column;
    if (unit.k > 0) {
      pass.args.a = rows.a + bytes_to_k(g, unit.k);
      if (pass.tail) pass.tail += bytes_to_k(g, unit.k);
      pass.args.b = b + bytes_of_panel(g, unit.k);
    }
    const bool more = s + 1 < strips.count && strips[s + 1] == panels;
    pass.after = more ? static_cast<const char*>(pass.args.b) + panels * p.panel_stride : nullptr;
    const bool few = asks_ahead(g, static_cast<int>(pass.tiles[0]) * g.row_group, panels);
    pass.ahead = pass.tiles.count == 1 ? few || p.one_tile_asks : few && p.groups.count == 0;
    pass.ask(p);
    if (output == Output::buffer) {
      pass.args.c_stride = pass.args.cols = panels * g.nr;
      pass.c_row_bytes = 4 * pass.args.c_stride;
      compute_buffered(p, item, rows, unit, kc, columns, column, cols, pass);
      continue;
    }
    pass.args.cols = cols;
    pass.unpack(p);
    if (output == Output::bits) {
      const int width = panels * g.nr, behind = bit_columns(p, column, cols) - width;
      for (std::int64_t row = 0; row < unit.rows && behind > 0; ++row)
        std::memset(c_at(p, item, unit.row + row, column + width), 0, static_cast<std::size_t>(behind / 8));
      pass.args.turned = columns.turned;
      pass.args.c = reinterpret_cast<std::int32_t*>(c_at(p, item, unit.row, column));
      pass.args.c_stride = pass.c_row_bytes = item.c_stride;
      pass.c_panel_bytes = g.nr / 8;
    } else if (unit.partial) {
      pass.args.c = unit.partial + column;
      pass.args.c_stride = padded_n(p);
      pass.c_row_bytes = 4 * pass.args.c_stride;
    } else {
      const std::int64_t c_size = is_8bit(p.spec.c) ? 1 : 4;
      pass.args.c = reinterpret_cast<std::int32_t*>(static_cast<char*>(item.c) + (unit.row * item.c_stride + column) * c_size);
      pass.args.c_stride = item.c_stride;
      pass.c_row_bytes = pass.args.c_stride * c_size;
      pass.c_panel_bytes = g.nr * c_size;
      if (item.m > p.near_rows) pass.c_asked = cols * c_size;
      if (output == Output::reals) {
        pass.reals = reals_of(p.spec, rows, columns);
        pass.args.reals = &pass.reals;
      }
    }
    pass.run_tiles(p, 0, pass.tiles.count);
  }
}

void compute_tile(const Product& p, const GemmArgs& item, const Rows& rows) {
  Columns columns;
  Reals reals;
  const bool to_reals = p.output == Output::reals, plain = !to_reals && p.from_zero;
  const auto cols = static_cast<int>(p.n);
  if (!plain) p.kernel->prepare(p.spec, p.columns, {cols, static_cast<int>(padded_n(p))}, &columns);
  if (to_reals) reals = reals_of(p.spec, rows, columns);
  p.one_tile[item.m - 1]({.a = rows.a,
                          .a_stride = rows.a_stride,
                          .b = p.panels,
                          .b_stride = p.panel_stride,
                          .next = p.panels,
                          .next_step = 0,
                          .steps = p.steps,
                          .init = plain ? nullptr : columns.init,
                          .init_stride = 0,
                          .c = static_cast<std::int32_t*>(item.c),
                          .c_stride = item.c_stride,
                          .cols = cols,
                          .reals = to_reals ? &reals : nullptr});
}

void reduce(const Product& p, const GemmArgs& item, const Rows& rows, const std::int32_t* partial, int slices, std::int64_t row,
            std::int64_t panel, int panels) {
  const Geometry& g = p.kernel->geometry;
  const std::int64_t column = panel * g.nr;
  const int width = panels * g.nr;
  const int cols = static_cast<int>(std::min<std::int64_t>(width, p.n - column));
  Columns columns;
  p.kernel->prepare(p.spec, columns_from(p.columns, column), {cols, width}, &columns);
  alignas(64) std::uint32_t sum[max_tile_cols];
  for (int j = 0; j < width; ++j) sum[j] = static_cast<std::uint32_t>(columns.init[j]);
  for (int s = 0; s < slices; ++s)
    for (int j = 0; j < cols; ++j) sum[j] += static_cast<std::uint32_t>(partial[(s * item.m + row) * padded_n(p) + column + j]);
  finish(p, item, rows, columns, reinterpret_cast<const std::int32_t*>(sum), width, row, column, 1, cols);
}

}  // namespace narrow
