#include "src/blocking.h"

#include <algorithm>

namespace narrow {
namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

/// Up to so many rows are bound by reading B: one panel at a time is one contiguous stream, with k spread over several sums.
constexpr int streaming_rows = 4;
/// Work, in units of 64 multiply-adds or 8 bytes of B, that pays for waking another thread.
constexpr std::int64_t thread_worth = 30000;
/// Units per thread: enough that a late thread leaves the others something to claim.
constexpr std::int64_t units_per_thread = 4;

/// The widest strip whose tile takes all the rows at once, the widest tile of all where none does.
int strip_width(const Geometry& g, std::int64_t m) {
  if (m <= streaming_rows && m <= g.max_rows[0]) return 1;
  for (int panels = g.max_panels; panels > 1; --panels)
    if (m <= g.max_rows[panels - 1]) return panels;
  return g.max_panels;
}

}  // namespace

Blocking block(const Geometry& g, const BlockingInput& in) noexcept {
  Blocking b{};
  const std::int64_t panels = ceil_div(in.n, g.nr);
  b.strip_panels = strip_width(g, in.m);
  const std::int64_t tile_rows = g.max_rows[b.strip_panels - 1];
  const std::int64_t l2 = in.caches.l2 ? static_cast<std::int64_t>(in.caches.l2) : 512 << 10;

  const std::int64_t work = in.k * in.n / 8 * std::max<std::int64_t>(1, in.m / 8);
  b.threads = static_cast<int>(std::clamp<std::int64_t>(work / thread_worth, 1, std::max(1, in.threads)));

  const std::int64_t fits = std::max<std::int64_t>(1, l2 / 2 / std::max<std::int64_t>(1, in.a_row_bytes));
  const std::int64_t blocks = ceil_div(std::max<std::int64_t>(1, in.m), round_up(fits, tile_rows));
  b.block_rows = round_up(ceil_div(std::max<std::int64_t>(1, in.m), blocks), tile_rows);
  b.slab_rows = b.block_rows * b.threads;
  b.chunk_panels = std::max<std::int64_t>(1, panels);
  b.slices = 1;
  b.slice_k = in.k;
  if (b.threads == 1) return b;

  const std::int64_t wanted = units_per_thread * b.threads;
  auto units = [&] { return ceil_div(in.m, b.block_rows) * ceil_div(panels, b.chunk_panels); };
  while (units() < wanted && b.chunk_panels > b.strip_panels)
    b.chunk_panels = round_up(ceil_div(b.chunk_panels, 2), b.strip_panels);
  while (units() < wanted && b.block_rows > tile_rows) b.block_rows = round_up(b.block_rows / 2, tile_rows);
  if (units() < b.threads) {
    const std::int64_t slices = ceil_div(b.threads, units());
    b.slice_k = round_up(ceil_div(in.k, slices), g.k_unit);
    b.slices = static_cast<int>(ceil_div(in.k, b.slice_k));
  }
  return b;
}

}  // namespace narrow
