#include "src/blocking.h"

#include <algorithm>

namespace narrow {
namespace {

/// Up to so many rows are bound by reading B: one panel at a time is one contiguous stream, with k spread over several sums.
constexpr int streaming_rows = 4;
/// Work, in units of 64 multiply-adds or 8 bytes of B, that pays for waking another thread.
constexpr std::int64_t thread_worth = 30000;
/// Units per thread: enough that a late thread leaves the others something to claim.
constexpr std::int64_t units_per_thread = 4;

/// Panels of a strip: one where B is only streamed through (few rows, or all rows in one tile and B beyond the cache), else as
/// many as a tile that takes all the rows at once allows, or the widest tile; but no more than half of the L2 cache holds.
int strip_width(const Geometry& g, const BlockingInput& in) {
  const std::int64_t panel_bytes = in.k * g.nr;
  if (in.m <= streaming_rows || (in.m <= g.max_rows[0] && in.panels * panel_bytes > in.l2)) return 1;
  int panels = g.max_panels;
  while (panels > 1 && in.m > g.max_rows[panels - 1] && in.m <= g.max_rows[panels - 2]) --panels;
  while (panels > 1 && panels * panel_bytes > in.l2 / 2) --panels;
  return panels;
}

}  // namespace

Blocking block(const Geometry& g, const BlockingInput& in) noexcept {
  Blocking b{};
  b.strip_panels = strip_width(g, in);
  const std::int64_t tile_rows = g.max_rows[b.strip_panels - 1];

  // A block of A takes up to half of the L2 cache; several blocks are of one size. Where all of B stays in the cache as well,
  // blocks are so short that their rows of C do too: they are then written out once, not strip by strip.
  const bool b_stays = in.panels * g.nr * in.k <= in.l2 / 4;
  const std::int64_t row_bytes = in.a_row_bytes + (b_stays ? in.panels * g.nr * 4 : 0);
  b.block_rows = round_up(in.m, tile_rows);
  if (b.block_rows * row_bytes > in.l2 / 2) {
    const std::int64_t fits = round_up(std::max<std::int64_t>(1, in.l2 / 2 / row_bytes), tile_rows);
    b.block_rows = round_up(divide_up(in.m, divide_up(in.m, fits)), tile_rows);
  }
  b.threads = 1;
  b.slab_rows = b.block_rows;
  b.chunk_panels = in.panels;
  b.slices = 1;
  b.slice_k = in.k;
  if (in.threads <= 1) return b;

  const std::int64_t work = in.k * in.panels * g.nr / 8 * std::max<std::int64_t>(1, in.m / 8);
  b.threads = static_cast<int>(std::clamp<std::int64_t>(work / thread_worth, 1, in.threads));
  if (b.threads == 1) return b;
  b.slab_rows = b.block_rows * b.threads;
  const std::int64_t wanted = units_per_thread * b.threads;
  auto units = [&] { return divide_up(in.m, b.block_rows) * divide_up(in.panels, b.chunk_panels); };
  while (units() < wanted && b.chunk_panels > b.strip_panels)
    b.chunk_panels = round_up(divide_up(b.chunk_panels, 2), b.strip_panels);
  while (units() < wanted && b.block_rows > tile_rows) b.block_rows = round_up(b.block_rows / 2, tile_rows);
  if (units() < b.threads) {
    b.slice_k = round_up(divide_up(in.k, divide_up(b.threads, units())), g.k_unit);
    b.slices = static_cast<int>(divide_up(in.k, b.slice_k));
  }
  return b;
}

}  // namespace narrow
