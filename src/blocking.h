// How a product is cut into pieces. A pure function of sizes, so that it can be read, tested and printed on its own.
//
// The loop nest (src/driver.cpp), outermost first:
//
//   slab     rows of A that are packed together (all of them where A is read in place)
//   unit     block_rows x chunk_panels (x one slice of k): what a thread claims
//   strip    up to strip_panels panels of B: stays in the L1 or L2 cache while
//   pass     kc of k: sums are carried from pass to pass in a buffer; nearly always the only one
//   tile     the block's rows pass over it, mr at a time; the sums stay in registers from end to end
//
// A block of A (block_rows x k) and a strip of B share the L2 cache.
#pragma once

#include "src/kernel.h"

namespace narrow {

struct BlockingInput {
  std::int64_t m, panels, k;  ///< k padded
  int widest;                 ///< see widest_strip
  std::int64_t kc;            ///< see k_of_one_pass
  bool one_tile_one_pass;     ///< rows of a single tile take all of k at once, whatever kc is
  std::int64_t whole_rows;    ///< see rows_of_one_block
  int threads;                ///< that the caller offers
  bool may_slice;             ///< k: integer sums may be added up in any order
};

/// Rows whose sums are carried from one part of k to the next, at most: they live on the stack.
inline constexpr int max_carried_rows = 192;

struct Blocking {
  int threads;              ///< worth using
  std::int64_t block_rows;  ///< multiple of the tile's rows, or more than all rows
  std::int64_t slab_rows;   ///< of packed A at a time, at most; likewise
  std::int64_t chunk_panels;
  int strip_panels;
  std::int64_t kc;       ///< k of one pass over a strip, multiple of k_unit
  int slices;            ///< of k; more than one only where there are fewer tiles than threads
  std::int64_t slice_k;  ///< k of all slices but the last; multiple of k_unit
};

/// Of `most` threads, those that a product of so many rows, columns and k is worth waking.
int threads_worth(std::int64_t m, std::int64_t n, std::int64_t k, int most) noexcept;

/// Panels of a strip for many rows: of the tiles with the most sums, or nearly as many, those of the one that loads the least.
/// It also writes the longest pieces of rows of C, which counts where that comes from memory (1024^3 of nibbles: a seventh).
int widest_strip(const Geometry& geometry) noexcept;

/// The same for kernels of groups, whose tiles take one panel after the other, so that little is lost with a narrow strip: as
/// many as k needs no passes for, if there are such. (Passes cost these up to a tenth where B comes from beyond the L2 cache.)
int widest_strip_of_groups(const Geometry& geometry, std::int64_t panel_bytes, std::int64_t l2) noexcept;

/// Whether a single stream may bring B faster than several: from the L2 cache, if it is long enough to get going; from further
/// away several do. See Kernel::stream_rows.
bool best_as_one_stream(std::int64_t panel_bytes, std::int64_t b_bytes, std::int64_t l2) noexcept;

/// Panels of a strip for m rows. Where A has no more rows than the tallest tile, it is the most (but at least two, or
/// `widest` where that is one) with which its rows pass over B in the fewest tiles; but `widest` where all tiles are as tall.
int strip_width(const Geometry& geometry, std::int64_t m, int widest) noexcept;

/// kc where several tiles read a strip: all of k where the widest strip, of
/// so many bytes, leaves the L2 cache room enough, else even parts that are half as long, because then most of what a block
/// reads of A stays there, too. Multiples of `unit`: k_unit, or the size of a group.
std::int64_t k_of_one_pass(std::int64_t strip_bytes, std::int64_t k, std::int64_t unit, std::int64_t l2) noexcept;

/// Rows of A, `row_bytes` each, whose block takes up to half of the L2 cache. Where all of B stays in the cache as well, blocks
/// are so short that their rows of C, of `columns` int32, do too: they are then written out once, not strip by strip.
std::int64_t rows_of_one_block(std::int64_t row_bytes, std::int64_t columns, std::int64_t b_bytes, std::int64_t l2) noexcept;

Blocking block(const Geometry& geometry, const BlockingInput& input) noexcept;

/// a / b for a >= 0, b > 0, in the cheapest way that serves: a small product would else spend more time on 64-bit divisions
/// than on its sums.
constexpr std::int64_t divide(std::int64_t a, std::int64_t b) noexcept {
  if (a < b) return 0;
  if (((a | b) >> 32) == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
  return a / b;
}
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) noexcept { return a <= b ? a > 0 : divide(a + b - 1, b); }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) noexcept { return divide_up(a, b) * b; }

/// Cuts `total` into the fewest parts of at most `most`, as even as can be.
struct Parts {
  std::int64_t count, size, larger;  ///< the first `larger` parts are one longer than `size`
  std::int64_t operator[](std::int64_t index) const noexcept { return size + (index < larger); }
  std::int64_t begin(std::int64_t index) const noexcept { return index * size + (index < larger ? index : larger); }
};
constexpr Parts split(std::int64_t total, std::int64_t most) noexcept {
  if (total <= most) return {total > 0, total, 0};
  const std::int64_t count = divide_up(total, most), size = divide(total, count);
  return {count, size, total - size * count};
}
/// The tiles of so many rows, counted in groups of rows.
constexpr Parts split_rows(std::int64_t rows, int tile_rows, int row_group) noexcept {
  return row_group == 1 ? split(rows, tile_rows) : split(divide_up(rows, row_group), tile_rows / row_group);
}

}  // namespace narrow
