#include "src/blocking.h"

#include <algorithm>

#include "src/bits.h"

namespace narrow {
namespace {

/// Work, in units of 64 multiply-adds or 8 bytes of B, that pays for waking another thread.
constexpr std::int64_t thread_worth = 30000;
/// Whether a strip of so many bytes leaves the L2 cache room enough for all of k.
bool stays(std::int64_t strip_bytes, std::int64_t l2) { return strip_bytes <= l2 / 4; }
/// Units per thread: enough that a late thread leaves the others something to claim.
constexpr std::int64_t units_per_thread = 4;

}  // namespace

int widest_strip(const Geometry& g) noexcept {
  const auto sums = [&](int w) { return w * g.max_rows[w - 1]; };
  const auto loads = [&](int w) { return w + g.max_rows[w - 1]; };
  int most = 0, width = 0;
  for (int w = 1; w <= g.max_panels; ++w) most = std::max(most, sums(w));
  for (int w = 1; w <= g.max_panels; ++w)
    if (6 * sums(w) >= 5 * most && (width == 0 || loads(w) <= loads(width))) width = w;
  return width;
}

int widest_strip_of_groups(const Geometry& g, std::int64_t panel_bytes, std::int64_t l2) noexcept {
  int width = g.max_panels;
  while (width > 1 && !stays(width * panel_bytes, l2)) --width;
  return width;
}

bool best_as_one_stream(std::int64_t panel_bytes, std::int64_t b_bytes, std::int64_t l2) noexcept {
  return panel_bytes >= 4096 && b_bytes <= l2 / 4 * 3;
}

int strip_width(const Geometry& g, std::int64_t m, int widest) noexcept {
  if (m > max_tile_rows) return widest;
  // One pass is seen at once, without divisions: the smallest products cost little more.
  for (int w = g.max_panels; w > 1; --w)
    if (m <= g.max_rows[w - 1]) return w;
  if (g.max_rows[0] == g.max_rows[g.max_panels - 1]) return widest;
  const auto passes = [&](int w) { return divide_up(m, g.max_rows[w - 1]); };
  int width = g.max_panels;
  for (int w = width - 1; w >= std::min(widest, 2); --w)
    if (passes(w) < passes(width)) width = w;
  return width;
}

std::int64_t k_of_one_pass(std::int64_t strip_bytes, std::int64_t k, std::int64_t unit, std::int64_t l2) noexcept {
  if (stays(strip_bytes, l2)) return k;
  return std::min(k, round_up(divide_up(k, divide_up(strip_bytes, l2 / 8)), unit));
}

std::int64_t rows_of_one_block(std::int64_t row_bytes, std::int64_t columns, std::int64_t b_bytes, std::int64_t l2) noexcept {
  const std::int64_t bytes = row_bytes + (b_bytes <= l2 / 4 ? columns * 4 : 0);
  return std::max<std::int64_t>(1, divide(l2 / 2, std::max<std::int64_t>(1, bytes)));
}

int threads_worth(std::int64_t m, std::int64_t n, std::int64_t k, int most) noexcept {
  return static_cast<int>(std::clamp<std::int64_t>(k * n / 8 * std::max<std::int64_t>(1, m / 8) / thread_worth, 1, most));
}

Blocking block(const Geometry& g, const BlockingInput& in) noexcept {
  Blocking b{};
  b.strip_panels = strip_width(g, in.m, in.widest);
  const std::int64_t tile_rows = g.max_rows[b.strip_panels - 1];
  b.kc = in.m <= streaming_rows || (in.m <= tile_rows && in.one_tile_one_pass) ? in.k : in.kc;

  b.block_rows = round_up(in.m, tile_rows);
  if (in.m > in.whole_rows)  // several blocks of one size
    b.block_rows = round_up(divide_up(in.m, divide_up(in.m, round_up(in.whole_rows, tile_rows))), tile_rows);
  if (b.kc < in.k) b.block_rows = std::min(b.block_rows, max_carried_rows / tile_rows * tile_rows);
  b.threads = 1;
  b.slab_rows = b.block_rows;
  b.chunk_panels = in.panels;
  b.slices = 1;
  b.slice_k = in.k;
  if (in.threads <= 1 || in.m <= 0 || in.panels == 0) return b;

  b.threads = threads_worth(in.m, in.panels * g.nr, in.k, in.threads);
  if (b.threads == 1) return b;
  b.slab_rows = b.block_rows * b.threads;
  const std::int64_t wanted = units_per_thread * b.threads;
  auto units = [&] { return divide_up(in.m, b.block_rows) * divide_up(in.panels, b.chunk_panels); };
  while (units() < wanted && b.chunk_panels > b.strip_panels)
    b.chunk_panels = round_up(divide_up(b.chunk_panels, 2), b.strip_panels);
  while (units() < wanted && b.block_rows > tile_rows) b.block_rows = round_up(b.block_rows / 2, tile_rows);
  if (units() < b.threads && in.may_slice) {
    b.slice_k = round_up(divide_up(in.k, divide_up(b.threads, units())), g.k_unit);
    b.slices = static_cast<int>(divide_up(in.k, b.slice_k));
  }
  return b;
}

}  // namespace narrow
