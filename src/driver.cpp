#include "src/driver.h"

#include <algorithm>
#include <cstring>

#include "src/bits.h"
#include "src/claim.h"
#include "src/cpu.h"
#include "src/operand.h"

namespace narrow {
namespace {

/// Rows whose sums are finished together, at the most: the epilogue sets out less often, and the sums are still in L1.
constexpr std::int64_t rows_together = 32;

alignas(64) constexpr std::int32_t zeros[max_tile_cols] = {};

char* bits_of(const GemmArgs& item, std::int64_t row, std::int64_t column) {
  return static_cast<char*>(item.c) + row * item.c_stride + column / 8;
}

/// Bits of C to write for `cols` columns: the last ones are followed by zeros.
int bit_columns(const Product& p, std::int64_t column, int cols) {
  return column + cols == p.n ? static_cast<int>(8 * bit_row_bytes(p.n) - column) : cols;
}

/// Sums of one tile, at (row, column) of the item, on to C.
void finish(const Product& p, const GemmArgs& item, const Rows& rows, const Columns& columns, const std::int32_t* sum,
            std::ptrdiff_t sum_stride, std::int64_t row, std::int64_t column, int row_count, int cols) {
  const auto c_size = static_cast<std::ptrdiff_t>(size_of(p.spec.c));
  const bool bits = p.spec.c == Type::b1;
  const auto r_size = static_cast<std::ptrdiff_t>(size_of(p.spec.residual));
  p.epilogue({.spec = &p.spec,
              .columns = &columns,
              .sum = sum,
              .sum_stride = sum_stride,
              .rows = row_count,
              .cols = cols,
              .bit_cols = bit_columns(p, column, cols),
              .c = static_cast<char*>(item.c) + (row * item.c_stride + (bits ? column / 8 : column)) * c_size,
              .c_stride = item.c_stride * c_size,
              .residual = offset(static_cast<const char*>(item.residual), (row * item.residual_stride + column) * r_size),
              .residual_stride = item.residual_stride * r_size,
              .a_scale = rows.scale,
              .a_zero_point = rows.zero_point,
              .row_sum = rows.row_sum});
}

/// Where a unit lies in its item.
struct Unit {
  std::int64_t row, rows;  ///< of the item
  std::int64_t panel, panels;
  std::int64_t k, k_count;  ///< a slice of padded k
  std::int32_t* partial;    ///< null: sums are finished here; else [rows][padded n] of this slice, at row 0
};

/// Strips and tiles of one unit, in passes of kc over each strip. `rows` is A at the unit's first row.
void compute(const Product& p, const GemmArgs& item, const Rows& rows, const Unit& unit, int strip_panels, std::int64_t kc) {
  const Kernel& kernel = *p.kernel;
  const Geometry& g = kernel.geometry;
  const std::int64_t a_element = static_cast<std::int64_t>(size_of(g.a)) * g.row_group;
  const std::ptrdiff_t step_bytes = bytes_of_panel(g, g.kr);
  const Parts strips = split(unit.panels, strip_panels);
  const bool carried = kc < unit.k_count, to_bits = compares(p) && !unit.partial && !carried;
  const bool in_place = unit.partial || to_bits || (p.direct && !carried);
  const bool plain =
      unit.partial || (in_place && !to_bits && p.spec.a_zero_point == 0 && p.spec.offset == 0 && !p.columns.bias_s32);
  alignas(64) std::int32_t buffer[max_carried_rows * max_tile_cols];  // one tile's sums, or a strip's from pass to pass
  Columns columns;

  std::int64_t panel = unit.panel;
  for (std::int64_t s = 0; s < strips.count; panel += strips[s++]) {
    const int panels = static_cast<int>(strips[s]);
    const std::int64_t column = panel * g.nr;
    const int cols = static_cast<int>(std::min<std::int64_t>(panels * g.nr, p.n - column));
    if (!plain) kernel.prepare(p.spec, columns_from(p.columns, column), cols, &columns);
    const auto* const tables = p.window.rows ? to_bits ? kernel.run_to_bits_indirect : kernel.run_indirect
                               : to_bits     ? kernel.run_to_bits
                                             : kernel.run;
    const TileFn* const run = tables[panels - 1];
    if (to_bits && !p.window.rows) kernel.limits(columns.threshold, panels * g.nr, columns.init);
    const char* const b = p.panels + panel * p.panel_stride + bytes_of_panel(g, unit.k);
    const bool more = s + 1 < strips.count && strips[s + 1] == panels;

    // Sums go straight into C (or the slice's partial sums), or into the buffer: of some tiles, which are finished together,
    // over and over into the same lines, unless they are to be carried on.
    TileArgs args;
    args.b_stride = p.panel_stride;
    std::int32_t* sums = buffer;
    args.c_stride = panels * g.nr;
    args.cols = panels * g.nr;
    std::ptrdiff_t row_stride = args.c_stride;
    if (to_bits) {
      args.turned = columns.turned;
      args.c_stride = item.c_stride;
      const int behind = bit_columns(p, column, cols) - panels * g.nr;
      for (std::int64_t row = 0; row < unit.rows && behind > 0; ++row)
        std::memset(bits_of(item, unit.row + row, column + panels * g.nr), 0, static_cast<std::size_t>(behind / 8));
    } else if (in_place) {
      sums = unit.partial ? unit.partial + column : static_cast<std::int32_t*>(item.c) + unit.row * item.c_stride + column;
      args.c_stride = row_stride = unit.partial ? padded_n(p) : item.c_stride;
      args.cols = cols;
    }
    args.groups = &p.groups;
    args.window = &p.window;
    args.first_column = p.window.column + column;

    const Parts tiles = g.row_group == 1 ? split(unit.rows, g.max_rows[panels - 1])
                                         : split(divide_up(unit.rows, g.row_group), g.max_rows[panels - 1] / g.row_group);
    std::int64_t k = 0;
    do {
      const std::int64_t k_left = unit.k_count - k;
      const bool last = k_left <= kc;
      args.b = b + bytes_of_panel(g, k);
      args.steps = carried ? divide(std::min(kc, k_left), g.kr) : unit.k_count == p.k_padded ? p.steps : divide(k_left, g.kr);
      if (p.window.rows) args.steps /= p.window.rows * p.window.runs;
      // What is read next, after the tiles of this pass: each of them asks for a share of it, as B may come from memory at less
      // than the pace of a single one.
      const char* const next = static_cast<const char*>(!last  ? b + bytes_of_panel(g, k + kc)
                                                        : more ? b + panels * p.panel_stride
                                                               : b);
      args.next_step = next == b ? 0 : divide_up(step_bytes, tiles.count);
      std::int64_t group = 0, finished = 0;  // rows
      for (std::int64_t t = 0; t < tiles.count; group += tiles[t++]) {
        const std::int64_t row = group * g.row_group;
        const int count = static_cast<int>(std::min<std::int64_t>(tiles[t] * g.row_group, unit.rows - row));
        const bool in_tail = rows.tail && unit.row + row + count == item.m;
        const char* const a =
            in_tail ? rows.tail + (rows.tail_rows - count) * p.packed_row_bytes : rows.a + group * rows.a_stride;
        args.a = a + (unit.k + k) * a_element;
        args.a_stride = in_tail ? p.packed_row_bytes : rows.a_stride;
        if (to_bits)
          args.c = reinterpret_cast<std::int32_t*>(bits_of(item, unit.row + row, column));
        else
          args.c = sums + (carried || in_place ? row : row - finished) * row_stride;
        args.init = k > 0 ? args.c : plain ? zeros : columns.init;
        args.init_stride = k > 0 ? args.c_stride : 0;
        const std::ptrdiff_t asked = t * args.next_step;
        args.next = asked < step_bytes ? next + asked * args.steps : args.b;
        run[count - 1](args);
        if (last && !in_place && (t + 1 == tiles.count || row + count - finished > rows_together - max_tile_rows)) {
          finish(p, item, rows.from(finished, g.row_group), columns, sums + (carried ? finished : 0) * row_stride,
                 args.c_stride, unit.row + finished, column, static_cast<int>(row + count - finished), cols);
          finished = row + count;
        }
      }
    } while ((k += kc) < unit.k_count);
  }
}

/// Adds up the slices of k for one strip of one row and finishes it.
void reduce(const Product& p, const GemmArgs& item, const Rows& rows, const std::int32_t* partial, int slices, std::int64_t row,
            std::int64_t panel, int panels) {
  const Geometry& g = p.kernel->geometry;
  const std::int64_t column = panel * g.nr;
  const int width = panels * g.nr;
  const int cols = static_cast<int>(std::min<std::int64_t>(width, p.n - column));
  Columns columns;
  p.kernel->prepare(p.spec, columns_from(p.columns, column), cols, &columns);
  alignas(64) std::uint32_t sum[max_tile_cols];
  for (int j = 0; j < width; ++j) sum[j] = static_cast<std::uint32_t>(columns.init[j]);
  for (int s = 0; s < slices; ++s)
    for (int j = 0; j < cols; ++j) sum[j] += static_cast<std::uint32_t>(partial[(s * item.m + row) * padded_n(p) + column + j]);
  finish(p, item, rows, columns, reinterpret_cast<const std::int32_t*>(sum), width, row, column, 1, cols);
}

/// `count` rows of an item, from `row` on, to where they lie in scratch as rows `to` and on.
void pack_rows(const Product& p, const GemmArgs& item, std::int64_t row, std::int64_t count, const Packed& packed,
               std::int64_t to) {
  const Geometry& g = p.kernel->geometry;
  const bool quantized = g.a != Type::b1 && is_float(p.a);
  const char* src = static_cast<const char*>(item.a) + bytes_of(p.a, row * item.a_stride);
  if (p.permutation) src = gather_rows(p, src, item.a_stride, count, packed.gathered + to * bytes_of(p.a, p.k));
  p.kernel->pack_a({.src = src,
                    .src_type = p.a,
                    .stride = p.permutation ? p.k : item.a_stride,
                    .rows = static_cast<int>(count),
                    .k = p.k,
                    .k_padded = p.packed_row_bytes / static_cast<std::int64_t>(size_of(g.a)),
                    .dynamic = p.dynamic,
                    .threshold = p.threshold,
                    .threshold_stride = p.threshold_stride,
                    .dst = packed.a + to / g.row_group * p.packed_row_bytes * g.row_group,
                    .row_sum = p.row_sums ? packed.row_sum + to : nullptr,
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

/// Rows as pack_rows leaves them.
Rows packed_rows(const Product& p, const Packed& packed) {
  return {packed.a, p.packed_row_bytes * p.kernel->geometry.row_group, p.spec.row_scale ? packed.scale : nullptr,
          p.spec.row_zero_point ? packed.zero_point : nullptr, p.row_sums ? packed.row_sum : nullptr};
}

/// Rows in place, but for the last `count`, which pack_rows has left in scratch.
Rows rows_with_tail(const Product& p, const GemmArgs& item, const Packed& packed, std::int64_t count) {
  Rows rows = in_place(p, item);
  rows.tail = packed.a;
  rows.tail_rows = count;
  return rows;
}

/// Rows of a tail that serves strips of any width.
std::int64_t tail_rows(const Product& p, std::int64_t m) { return std::min<std::int64_t>(m, p.kernel->geometry.max_rows[0]); }

/// A run of rows that is worked on together: rows [row, row + ...) of items from `item` on, `rows` in all.
struct Slab {
  const GemmArgs* items;
  int item;
  std::int64_t row, rows;

  /// Calls body(item index, first row in the item, rows, first row in the slab) for each item's share.
  template <class Body>
  void each(const Body& body) const {
    std::int64_t done = 0, from = row;
    for (int i = item; done < rows; ++i, from = 0) {
      const std::int64_t count = std::min(items[i].m - from, rows - done);
      if (count > 0) body(i, from, count, done);
      done += count;
    }
  }
};

class Call {
 public:
  /// `packed` has room for what `reading` packs: the rows of a slab, or the tail, which is there already.
  Call(const Products& products, const GemmArgs* items, const Blocking& b, const Parallel& parallel, Reading reading,
       const Packed& packed)
      : products_(products), p_(products[0]), items_(items), b_(b), parallel_(parallel), reading_(reading), packed_(packed) {
    parallel_.threads = b.threads;
  }

  void run(const Slab& slab) const {
    if (reading_ == Reading::packed) pack_slab(slab);
    const Parts chunks = split(p_.panel_count, b_.chunk_panels);
    const std::int64_t per_block = chunks.count * b_.slices;
    claim(parallel_, count_blocks(slab, b_.block_rows) * per_block, [&](int, std::int64_t piece) {
      const std::int64_t block = divide(piece, per_block), within = piece - block * per_block;
      const std::int64_t chunk = divide(within, b_.slices), slice = within - chunk * b_.slices;
      with_block(slab, b_.block_rows, block, [&](int i, std::int64_t row, std::int64_t count, std::int64_t in_slab) {
        Unit unit{};
        unit.row = row;
        unit.rows = count;
        unit.panel = chunks.begin(chunk);
        unit.panels = chunks[chunk];
        unit.k = slice * b_.slice_k;
        unit.k_count = std::min(b_.slice_k, p_.k_padded - unit.k);
        if (b_.slices > 1) unit.partial = packed_.partial + (slice * items_[i].m + row) * padded_n(p_);
        compute(products_[i], items_[i], rows_of(i, row, in_slab), unit, b_.strip_panels, unit.partial ? unit.k_count : b_.kc);
      });
    });
    if (b_.slices > 1) reduce_slices(slab);
  }

 private:
  /// Blocks never span two items.
  static std::int64_t count_blocks(const Slab& slab, std::int64_t rows) {
    std::int64_t blocks = 0;
    slab.each([&](int, std::int64_t, std::int64_t count, std::int64_t) { blocks += divide_up(count, rows); });
    return blocks;
  }
  template <class Body>
  static void with_block(const Slab& slab, std::int64_t rows, std::int64_t index, const Body& body) {
    slab.each([&](int item, std::int64_t row, std::int64_t count, std::int64_t in_slab) {
      const std::int64_t blocks = divide_up(count, rows), at = index * rows;
      if (index >= 0 && index < blocks) body(item, row + at, std::min(rows, count - at), in_slab + at);
      index -= blocks;
    });
  }

  Rows rows_of(int i, std::int64_t row, std::int64_t in_slab) const {
    if (reading_ == Reading::packed) return packed_rows(p_, packed_).from(in_slab, p_.kernel->geometry.row_group);
    if (reading_ == Reading::tail_packed)
      return rows_with_tail(p_, items_[i], packed_, tail_rows(p_, items_[i].m)).from(row, 1);
    return in_place(p_, items_[i]).from(row, 1);
  }

  void pack_slab(const Slab& slab) const {
    // Small pieces where there are threads to share them out to; one pass where there are none.
    const int group = p_.kernel->geometry.row_group;
    const std::int64_t piece_rows = b_.threads > 1 ? round_up(8, group) : round_up(slab.rows, group);
    claim(parallel_, count_blocks(slab, piece_rows), [&](int, std::int64_t piece) {
      with_block(slab, piece_rows, piece, [&](int i, std::int64_t row, std::int64_t count, std::int64_t in_slab) {
        pack_rows(products_[i], items_[i], row, count, packed_, in_slab);
      });
    });
  }

  void reduce_slices(const Slab& slab) const {
    const Parts strips = split(p_.panel_count, p_.kernel->geometry.max_panels);
    claim(parallel_, slab.rows * strips.count, [&](int, std::int64_t piece) {
      const std::int64_t row = piece / strips.count, strip = piece % strips.count;
      const int group = p_.kernel->geometry.row_group;
      Rows rows = rows_of(slab.item, row / group * group, row / group * group);
      rows = {nullptr, 0, offset(rows.scale, row % group), offset(rows.zero_point, row % group),
              offset(rows.row_sum, row % group)};
      reduce(p_, items_[slab.item], rows, packed_.partial, b_.slices, row, strips.begin(strip),
             static_cast<int>(strips[strip]));
    });
  }

  const Products products_;
  const Product& p_;  // what they all have in common
  const GemmArgs* items_;
  const Blocking& b_;
  Parallel parallel_;
  Reading reading_;
  Packed packed_;
};

std::size_t partial_bytes(const Product& p, const Blocking& b, std::int64_t m) {
  return b.slices > 1 ? sizeof(std::int32_t) * static_cast<std::size_t>(b.slices * m * padded_n(p)) : 0;
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

void complete(Product* p) noexcept {
  const Geometry& g = p->kernel->geometry;
  p->panel_count = divide_up(p->n, g.nr);
  p->k_padded = round_up(elements_of(g.a, p->real_k), g.k_unit);
  p->steps = p->k_padded / g.kr;
  p->panel_bytes = p->groups.count ? p->panel_stride : bytes_of_panel(g, p->k_padded);
  if (p->groups.count) p->steps = p->panel_bytes / bytes_of_panel(g, g.kr);  // as far as requests for the next panel go
  // Rows a multiple of 1024 bytes apart would share few sets of the L1 cache: they get a line more.
  const auto element = static_cast<std::int64_t>(size_of(g.a));
  p->packed_row_bytes =
      p->groups.count ? p->groups.a_scales + (p->groups.row_scales ? 4 * p->groups.count : 0) : p->k_padded * element;
  if (p->groups.count) p->packed_row_bytes = round_up(p->packed_row_bytes, line);
  if (p->packed_row_bytes % 1024 == 0 && p->k > 0) p->packed_row_bytes += round_up(line, g.k_unit * element);
  p->widest = widest_strip(g);
  p->kc = p->groups.count ? p->k_padded : k_of_one_pass(g, p->k_padded, l2_bytes());
  p->whole_rows = rows_of_one_block(p->packed_row_bytes, p->panel_count * g.nr, p->panel_count * p->panel_bytes, l2_bytes());
}

Blocking blocking(const Product& p, std::int64_t m, int threads) noexcept {
  return block(p.kernel->geometry, {m, p.panel_count, p.k_padded, p.widest, p.kc, p.whole_rows, threads,
                                    p.groups.count == 0 && p.window.rows == 0});
}

std::size_t scratch_bytes(const Product& p, const Blocking& b, std::int64_t m) noexcept {
  const bool may_pack =
      p.must_pack || p.ragged || m > in_place_rows;  // whether A's stride asks for it is known only at the call
  if (m <= 0 || p.n == 0 || p.window.rows || (!may_pack && b.slices == 1)) return 0;
  return line + Packed::slack(p) +
         Packed::bytes_per_row(p) * static_cast<std::size_t>(std::min(m, std::max(b.slab_rows, tail_rows(p, m)))) +
         partial_bytes(p, b, m);
}

std::size_t bytes_for_any_rows(const Product& p, std::int64_t m, int threads) noexcept {
  const std::int64_t rows = std::min(m, (p.whole_rows + max_tile_rows) * std::max(threads, 1));
  return m <= 0 || p.n == 0 ? 0 : line + Packed::slack(p) + Packed::bytes_per_row(p) * static_cast<std::size_t>(rows);
}

bool is_whole(const Product& p, const GemmArgs& item) noexcept {
  return item.m > 0 && p.n > 0 && item.m <= (p.kc == p.k_padded ? p.whole_rows : streaming_rows);
}

std::size_t whole_scratch_bytes(const Product& p, std::int64_t m) noexcept {
  if (!p.must_pack && !p.ragged && m <= in_place_rows) return 0;
  return line + Packed::slack(p) + Packed::bytes_per_row(p) * static_cast<std::size_t>(m);
}

void multiply_whole(const Product& p, const GemmArgs& item, void* scratch) noexcept {
  const Unit everything{0, item.m, 0, p.panel_count, 0, p.k_padded, nullptr};
  const int strip_panels = strip_width(p.kernel->geometry, item.m, p.widest);
  const Reading how = reading(p, item);
  Rows rows = in_place(p, item);
  if (how != Reading::in_place) {
    const auto narrowest = static_cast<int>(split(p.panel_count, strip_panels).size);
    const std::int64_t count =
        how == Reading::packed ? item.m : std::min<std::int64_t>(item.m, p.kernel->geometry.max_rows[narrowest - 1]);
    const Packed packed = Packed::carve(p, count, align(scratch));
    pack_rows(p, item, item.m - count, count, packed, 0);
    rows = how == Reading::packed ? packed_rows(p, packed) : rows_with_tail(p, item, packed, count);
  }
  compute(p, item, rows, everything, strip_panels, p.k_padded);
}

bool alike(const Product& a, const Product& b) noexcept {
  const Groups &g = a.groups, &h = b.groups;
  return a.kernel == b.kernel && a.k == b.k && a.n == b.n && a.a == b.a && a.dynamic == b.dynamic && a.spec.c == b.spec.c &&
         a.spec.residual == b.spec.residual && a.spec.row_scale == b.spec.row_scale &&
         a.spec.row_zero_point == b.spec.row_zero_point && a.row_sums == b.row_sums && a.must_pack == b.must_pack &&
         !a.permutation == !b.permutation && g.count == h.count && g.size == h.size && g.row_scales == h.row_scales &&
         g.sum_factor == h.sum_factor;
}

void multiply(const Products& products, const Blocking& largest, const GemmArgs* items, int count, void* scratch,
              std::size_t bytes, const Parallel& parallel) noexcept {
  const Product& p = products[0];
  std::int64_t total = 0;
  for (int i = 0; i < count; ++i) total += items[i].m;
  if (total == 0 || p.n == 0) return;
  // A batch is cut up for its largest item; with several items there is enough to share out without slicing k.
  Blocking b = largest;
  if (count > 1 || products.stride != 0) {
    const Blocking whole = blocking(p, total, parallel.threads);
    b.threads = whole.threads;
    b.slab_rows = whole.slab_rows;
    b.slices = 1;
    b.slice_k = p.k_padded;
  }
  Reading how = Reading::in_place;
  for (int i = 0; i < count; ++i)
    if (const Reading r = reading(p, items[i]); r != Reading::in_place) how = count == 1 ? r : Reading::packed;
  // The scratch decides how many rows are packed at a time: one item's at the least, several small items' where it is larger.
  Packed packed{};
  std::int64_t slab_rows = total;
  const int group = p.kernel->geometry.row_group;
  if (how != Reading::in_place || b.slices > 1) {
    char* const at = align(scratch);
    const std::size_t room =
        bytes - static_cast<std::size_t>(at - static_cast<char*>(scratch)) - Packed::slack(p) - partial_bytes(p, b, total);
    if (how == Reading::packed)
      slab_rows = std::min({total, b.slab_rows, static_cast<std::int64_t>(room / Packed::bytes_per_row(p))});
    const std::int64_t tail = how == Reading::tail_packed ? tail_rows(p, total) : 0;
    packed = Packed::carve(p, how == Reading::packed ? slab_rows : tail, at);
    if (tail > 0) pack_rows(p, *items, total - tail, tail, packed, 0);
  }
  const Call call(products, items, b, parallel, how, packed);
  Slab slab{items, 0, 0, 0};
  for (std::int64_t done = 0; done < total; done += slab.rows) {
    slab.rows = std::min(slab_rows, total - done);
    if (group > 1) slab.rows = std::min(slab.rows / group * group + (slab.rows < group), items[slab.item].m - slab.row);
    call.run(slab);
    for (slab.row += slab.rows; slab.item < count && slab.row >= items[slab.item].m; ++slab.item)
      slab.row -= items[slab.item].m;
  }
}

}  // namespace narrow
