#include "src/driver.h"

#include <algorithm>

#include "src/bits.h"
#include "src/claim.h"
#include "src/cpu.h"
#include "src/default_floats.h"
#include "src/operand.h"
#include "src/unit.h"

namespace narrow {
namespace {

/// A run of rows that is worked on together: rows [row, row + ...) of items from `item` on, `rows` in all.
struct Slab {
  const GemmArgs* items;
  int item;
  std::int64_t row, rows;
};

/// The blocks of a slab, up to `block_rows` rows each, none of which spans two items.
class Blocks {
 public:
  struct Block {
    int item;
    std::int64_t row, rows, in_slab;  ///< its first row in the item, their number, its first row in the slab
  };
  /// Where those that look at rising blocks have got to: at this item of the slab, before which lie so many rows and blocks.
  struct Cursor {
    int item = 0;
    std::int64_t rows = 0, blocks = 0;
  };

  Blocks(const Slab& slab, std::int64_t block_rows) : slab_(slab), block_rows_(block_rows) {}

  std::int64_t count() const {
    Cursor at;
    while (at.rows < slab_.rows) pass(&at);
    return at.blocks;
  }
  /// A block that is no earlier one than `at` has seen.
  Block find(std::int64_t block, Cursor* at) const {
    Cursor next = *at;
    for (pass(&next); next.blocks <= block; pass(&next)) *at = next;
    const std::int64_t row = (block - at->blocks) * block_rows_;
    return {slab_.item + at->item, first_row(*at) + row, std::min(block_rows_, next.rows - at->rows - row), at->rows + row};
  }

 private:
  std::int64_t first_row(const Cursor& at) const { return at.item == 0 ? slab_.row : 0; }
  void pass(Cursor* at) const {
    const std::int64_t rows = std::min(slab_.items[slab_.item + at->item].m - first_row(*at), slab_.rows - at->rows);
    *at = {at->item + 1, at->rows + rows, at->blocks + divide_up(rows, block_rows_)};
  }

  const Slab& slab_;
  std::int64_t block_rows_;
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
    const Blocks blocks(slab, b_.block_rows);
    claim_with<Blocks::Cursor>(parallel_, blocks.count() * per_block, [&](int task, std::int64_t piece, Blocks::Cursor& at) {
      const std::int64_t index = divide(piece, per_block), within = piece - index * per_block;
      const std::int64_t chunk = divide(within, b_.slices), slice = within - chunk * b_.slices;
      const auto [item, row, rows, in_slab] = blocks.find(index, &at);
      Unit unit{};
      unit.row = row;
      unit.rows = rows;
      unit.panel = chunks.begin(chunk);
      unit.panels = chunks[chunk];
      unit.k = slice * b_.slice_k;
      unit.k_count = std::min(b_.slice_k, p_.k_padded - unit.k);
      if (b_.slices > 1)
        unit.partial = reinterpret_cast<std::int32_t*>(packed_.work) + (slice * items_[item].m + row) * padded_n(p_);
      else
        unit.unpacked = offset(packed_.work, task * p_.unpacked_bytes);
      compute(products_[item], items_[item], rows_of(item, row, in_slab), unit, b_.strip_panels,
              unit.partial ? unit.k_count : b_.kc);
    });
    if (b_.slices > 1) reduce_slices(slab);
  }

 private:
  Rows rows_of(int i, std::int64_t row, std::int64_t in_slab) const {
    if (reading_ == Reading::packed) return packed_rows(p_, packed_).from(in_slab, p_.kernel->geometry.row_group);
    if (reading_ == Reading::tail_copied)
      return rows_with_tail(p_, items_[i], packed_, tail_rows(p_, items_[i].m)).from(row, 1);
    return in_place(p_, items_[i]).from(row, 1);
  }

  void pack_slab(const Slab& slab) const {
    // Small pieces where there are threads to share them out to; one pass where there are none.
    const int group = p_.kernel->geometry.row_group;
    const std::int64_t piece_rows = b_.threads > 1 ? round_up(8, group) : round_up(slab.rows, group);
    const Blocks pieces(slab, piece_rows);
    claim_with<Blocks::Cursor>(parallel_, pieces.count(), [&](int, std::int64_t piece, Blocks::Cursor& at) {
      const auto [item, row, rows, in_slab] = pieces.find(piece, &at);
      pack_rows(products_[item], items_[item], row, rows, packed_, in_slab);
    });
  }

  void reduce_slices(const Slab& slab) const {
    const Parts strips = split(p_.panel_count, p_.kernel->geometry.max_panels);
    claim(parallel_, slab.rows * strips.count, [&](int, std::int64_t piece) {
      const std::int64_t in_slab = piece / strips.count, strip = piece % strips.count;
      const std::int64_t within = in_slab % p_.kernel->geometry.row_group,
                         first = in_slab - within;  // slabs begin with a group
      Rows rows = rows_of(slab.item, slab.row + first, first);
      rows = {nullptr, 0, offset(rows.scale, within), offset(rows.zero_point, within), offset(rows.row_sum, within)};
      reduce(p_, items_[slab.item], rows, reinterpret_cast<const std::int32_t*>(packed_.work), b_.slices, slab.row + in_slab,
             strips.begin(strip), static_cast<int>(strips[strip]));
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

Output output_of(const Product& p) {
  const EpilogueSpec& e = p.spec;
  const Kernel& kernel = *p.kernel;
  if (e.c == Type::b1) return kernel.to_bits.plain ? Output::bits : Output::buffer;
  if (e.accumulate || e.residual != Type::none || e.row_zero_point || p.columns.zero_point) return Output::buffer;
  const bool linear = e.activation == Activation::none;
  const bool clamped = linear || e.activation == Activation::relu || e.activation == Activation::clamp;
  const bool bytes = kernel.reals_to_bytes && is_8bit(e.c) && e.requantize == Requantize::float_multiplier;
  if (e.c == Type::f32 ? linear && kernel.to_reals.plain : bytes && clamped && !e.row_scale) return Output::reals;
  return e.c == Type::s32 ? Output::sums : Output::buffer;
}

/// Values of B from which on unpacking pays for what comes with it. On Zen 4, 32^3 goes a sixth to a fifth faster without it;
/// 64^3 as fast with it on AVX2, and a sixth faster on AVX-512.
constexpr std::int64_t worth_unpacking = 64 * 64;

/// Bytes of the buffers in which so many threads unpack B for m rows.
std::size_t unpacked_room(const Product& p, std::int64_t m, int threads) {
  return unpacks(p, m) ? static_cast<std::size_t>(p.unpacked_bytes * threads) : 0;
}

/// Bytes that the threads work in: slices of k, or B unpacked.
std::size_t work_bytes(const Product& p, const Blocking& b, std::int64_t m) {
  return b.slices > 1 ? sizeof(std::int32_t) * static_cast<std::size_t>(b.slices * m * padded_n(p))
                      : unpacked_room(p, m, b.threads);
}

/// Whether A's stride asks for it is known only at the call.
bool may_pack(const Product& p, std::int64_t m) { return p.must_pack || p.ragged || m > in_place_rows; }

const Strips& strips_for(const Product& p, std::int64_t m) { return unpacks(p, m) ? p.unpacked : p.packed; }

/// k: integer sums may be added up in any order.
bool may_slice(const Product& p) { return p.groups.count == 0 && p.window.rows == 0 && !p.kernel->geometry.running; }

/// multiply_whole in the floating-point environment that there is.
void multiply_as_is(const Product& p, const GemmArgs& item, void* scratch) {
  const Reading how = reading(p, item);
  Rows rows = in_place(p, item);
  if (item.m <= p.one_tile_rows && item.m > p.stream_rows && how == Reading::in_place) return compute_tile(p, item, rows);
  Unit everything{0, item.m, 0, p.panel_count, 0, p.k_padded, nullptr, nullptr};
  const int strip_panels = strip_width(p.kernel->geometry, item.m, strips_for(p, item.m).widest);
  if (how != Reading::in_place) {
    // Of a tail, no more than the last tile of a strip is copied.
    const Parts strips = split(p.panel_count, strip_panels);
    const auto last_rows = [&](std::int64_t panels) { return split(item.m, p.kernel->geometry.max_rows[panels - 1]).size; };
    std::int64_t count = how == Reading::packed ? item.m : last_rows(strips.size);
    if (how == Reading::tail_copied && strips.larger > 0) count = std::max(count, last_rows(strips.size + 1));
    const Packed packed = Packed::carve(p, count, align(scratch));
    if (how == Reading::packed) {
      pack_rows(p, item, 0, count, packed, 0);
      rows = packed_rows(p, packed);
      everything.unpacked = packed.work;
    } else {
      copy_tail(p, item, count, packed);
      rows = rows_with_tail(p, item, packed, count);
    }
  }
  compute(p, item, rows, everything, strip_panels, p.k_padded);
}

/// See Product. C and B together decide, as both pass through the caches between one call and the next. Tiles of a short k
/// are over before what they ask for is there: bits of 1024^3 lose 1 %, where those of 2048^3 gain 4 to 8 %, and int8 1 to 4.
std::int32_t near_rows(const Product& p, std::int64_t b_bytes) {
  constexpr std::int64_t all = std::numeric_limits<std::int32_t>::max(), short_k = 256;
  if (p.spec.c == Type::b1 || p.n == 0 || p.k_padded < short_k || !cpu().asks_to_write) return all;
  const std::int64_t left = std::max<std::int64_t>(0, 2 * l2_bytes() - b_bytes);
  return static_cast<std::int32_t>(std::min(all, divide(left, p.n * static_cast<std::int64_t>(size_of(p.spec.c)))));
}

}  // namespace

void complete(Product* p) noexcept {
  const Geometry& g = p->kernel->geometry;
  p->panel_count = divide_up(p->n, g.nr);
  p->k_padded = round_up(elements_of(g.a, p->real_k), g.k_unit);
  p->step_bytes = bytes_of_panel(g, g.kr);
  p->panel_bytes = p->groups.count ? p->panel_stride : bytes_of_panel(g, p->k_padded);
  p->steps = p->panel_bytes / p->step_bytes;
  // Rows a multiple of 1024 bytes apart would share few sets of the L1 cache: they get a line more.
  const auto element = static_cast<std::int64_t>(size_of(g.a));
  p->packed_row_bytes =
      p->groups.count ? p->groups.a_scales + (p->groups.row_scales ? 4 * p->groups.count : 0) : p->k_padded * element;
  if (p->groups.count) p->packed_row_bytes = round_up(p->packed_row_bytes, line);
  if (p->packed_row_bytes % 1024 == 0 && p->k > 0) p->packed_row_bytes += round_up(line, g.k_unit * element);
  const ColumnSource& c = p->columns;
  p->output = output_of(*p);
  p->computes_floats =
      (p->spec.c != Type::s32 && p->spec.c != Type::b1) || is_float(p->a) || (g.a == Type::b1 && p->a != Type::b1);
  p->from_zero = p->spec.a_zero_point == 0 && p->spec.offset == 0 && !c.bias_s32;
  p->columns_alike = p->spec.float_sums && !c.bias_f32 && c.scale_stride == 0 && !c.threshold;
  const std::int64_t b_bytes = p->panel_count * p->panel_bytes;
  p->stream_rows = cpu().one_stream && best_as_one_stream(p->panel_bytes, b_bytes, l2_bytes()) ? p->kernel->stream_rows : 0;
  const bool far = b_bytes > 2 * l2_bytes();
  const bool from_memory = far && b_bytes > static_cast<std::int64_t>(cpu().caches.l3 / 2);  // the least that caches lose
  p->groups.one_row_asks = from_memory && cpu().asks;
  const bool to_l2 = from_memory && b_bytes > static_cast<std::int64_t>(cpu().caches.l3) && !cpu().asks;
  p->unasked_rows = static_cast<std::uint8_t>(to_l2 ? p->kernel->unasked_rows : 0);
  p->l2_rows = static_cast<std::uint8_t>(to_l2 ? p->kernel->l2_rows : 0);
  p->near_rows = near_rows(*p, b_bytes);
  const bool few_rows_ask = far && (!from_memory || p->kernel->stream_rows == 0 || cpu().asks);
  p->ahead_bytes = p->groups.count ? groups_ahead_bytes : few_rows_ask ? ahead_bytes : 0;
  p->one_tile_asks = p->groups.count || (few_rows_ask && g.b_bits == 8 && p->kernel->stream_rows != 0);
  const bool one_strip = p->panel_count > 0 && p->panel_count <= g.max_panels && !far;
  if (one_strip && p->kernel->sums == Sums::integers && (p->output == Output::sums || p->output == Output::reals)) {
    p->one_tile = tile_table(*p, p->output)[p->panel_count - 1];
    p->one_tile_rows = g.max_rows[p->panel_count - 1];
  } else {
    p->one_tile_rows = 0;
  }
  const auto strips_of = [&](const Geometry& tiles, std::int64_t panel_bytes, std::int64_t unit) {
    Strips strips;
    strips.widest = p->groups.count ? widest_strip_of_groups(tiles, panel_bytes, l2_bytes()) : widest_strip(tiles);
    strips.kc = k_of_one_pass(strips.widest * panel_bytes, p->k_padded, unit, l2_bytes());
    strips.whole_rows = rows_of_one_block(strips.kc < p->k_padded ? strips.kc * element : p->packed_row_bytes,
                                          p->panel_count * g.nr, b_bytes, l2_bytes());
    return strips;
  };
  p->packed = strips_of(g, p->panel_bytes, p->groups.count ? p->groups.size : g.running ? p->k_padded : g.k_unit);
  p->unpacked = p->packed;
  p->unpack_rows = never_unpacks;
  p->unpacked_bytes = 0;
  if (const Unpacking& u = p->kernel->unpacking; u.run) {
    p->unpacked = strips_of(u.geometry, bytes_of_unpacked(u.geometry, p->k_padded), u.geometry.k_unit);
    if (p->n * p->k_padded >= worth_unpacking) p->unpack_rows = u.from_rows;
    p->unpacked_bytes = round_up(p->unpacked.widest * bytes_of_unpacked(u.geometry, p->unpacked.kc), line);
  }
}

Blocking blocking(const Product& p, std::int64_t m, int threads) noexcept {
  const Strips& strips = strips_for(p, m);
  const Geometry& tiles = unpacks(p, m) ? p.kernel->unpacking.geometry : p.kernel->geometry;
  return block(tiles, {m, p.panel_count, p.k_padded, strips.widest, strips.kc, p.one_tile_asks && !unpacks(p, m),
                       strips.whole_rows, threads, may_slice(p)});
}

std::size_t scratch_bytes(const Product& p, const Blocking& b, std::int64_t m) noexcept {
  if (m <= 0 || p.n == 0 || p.window.rows || (!may_pack(p, m) && b.slices == 1)) return 0;
  return line + Packed::slack(p) +
         Packed::bytes_per_row(p) * static_cast<std::size_t>(std::min(m, std::max(b.slab_rows, tail_rows(p, m)))) +
         work_bytes(p, b, m);
}

std::size_t bytes_for_any_rows(const Product& p, std::int64_t m, int threads) noexcept {
  const std::int64_t whole_rows = std::max(p.packed.whole_rows, p.unpacked.whole_rows);
  const std::int64_t rows = std::min(m, (whole_rows + max_tile_rows) * std::max(threads, 1));
  if (m <= 0 || p.n == 0) return 0;
  return line + Packed::slack(p) + Packed::bytes_per_row(p) * static_cast<std::size_t>(rows) +
         unpacked_room(p, m, std::max(threads, 1));
}

std::size_t scratch_up_to(const Product& p, std::int64_t m, int threads) noexcept {
  // k is sliced only where there are fewer tiles than threads: t threads and u of them make less than t + u slices of tiles.
  std::int64_t largest_tile = 0;
  const Geometry& g = p.kernel->geometry;
  for (int w = 1; w <= g.max_panels; ++w) largest_tile = std::max<std::int64_t>(largest_tile, w * g.nr * g.max_rows[w - 1]);
  const std::int64_t used = may_slice(p) ? blocking(p, m, threads).threads : 1;  // fewer rows use no more
  const std::size_t partial = used > 1 ? sizeof(std::int32_t) * static_cast<std::size_t>(2 * used * largest_tile) : 0;
  if (m <= 0 || p.n == 0 || p.window.rows || (!may_pack(p, m) && partial == 0)) return 0;
  return bytes_for_any_rows(p, m, threads) + partial;
}

bool is_whole(const Product& p, const GemmArgs& item, const Parallel& parallel) noexcept {
  const Strips& strips = strips_for(p, item.m);
  return item.m > 0 && p.n > 0 && item.m <= (strips.kc == p.k_padded ? strips.whole_rows : streaming_rows) &&
         (!parallel.for_each || parallel.threads <= 1 || threads_worth(item.m, padded_n(p), p.k_padded, parallel.threads) == 1);
}

std::size_t whole_scratch_bytes(const Product& p, std::int64_t m) noexcept {
  if (!may_pack(p, m)) return 0;
  return line + Packed::slack(p) + Packed::bytes_per_row(p) * static_cast<std::size_t>(m) + unpacked_room(p, m, 1);
}

void multiply_whole(const Product& p, const GemmArgs& item, void* scratch) noexcept {
  if (!p.computes_floats) return multiply_as_is(p, item, scratch);
  const DefaultFloats floats;
  multiply_as_is(p, item, scratch);
}

bool alike(const Product& a, const Product& b) noexcept {
  const Groups &g = a.groups, &h = b.groups;
  return a.kernel == b.kernel && a.real_k == b.real_k && a.n == b.n && a.a == b.a && a.spec.c == b.spec.c &&
         a.spec.residual == b.spec.residual && a.spec.row_scale == b.spec.row_scale &&
         a.spec.row_zero_point == b.spec.row_zero_point && a.row_sums == b.row_sums && a.must_pack == b.must_pack &&
         !a.permutation == !b.permutation && g.count == h.count && g.size == h.size && g.row_scales == h.row_scales &&
         g.sum_factor == h.sum_factor;
}

void multiply(const Products& products, const Blocking& largest, const GemmArgs* items, int count, void* scratch,
              std::size_t bytes, const Parallel& parallel) noexcept {
  const Product& p = products[0];
  std::int64_t total = 0, most = 0;
  for (int i = 0; i < count; ++i) total += items[i].m, most = std::max(most, items[i].m);
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
    std::size_t room = bytes - static_cast<std::size_t>(at - static_cast<char*>(scratch)) - Packed::slack(p);
    if (b.slices == 1 && unpacks(p, most)) {
      // There is a buffer for each thread that the largest item is worth; for more threads, there may be.
      const std::size_t rows = Packed::bytes_per_row(p) * static_cast<std::size_t>(std::min(most, largest.slab_rows));
      b.threads = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(b.threads),
                                                         (room - rows) / static_cast<std::size_t>(p.unpacked_bytes)));
    }
    room -= work_bytes(p, b, most);
    if (how == Reading::packed)
      slab_rows = std::min({total, b.slab_rows, static_cast<std::int64_t>(room / Packed::bytes_per_row(p))});
    const std::int64_t tail = how == Reading::tail_copied ? tail_rows(p, total) : 0;
    packed = Packed::carve(p, how == Reading::packed ? slab_rows : tail, at);
    if (tail > 0) copy_tail(p, *items, tail, packed);
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
