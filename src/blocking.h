// How a product is cut into pieces. A pure function of sizes, so that it can be read, tested and printed on its own.
//
// The loop nest (src/driver.cpp), outermost first:
//
//   slab     rows of A that are packed together (all of them where A is read in place)
//   unit     block_rows x chunk_panels (x one slice of k): what a thread claims
//   strip    up to strip_panels panels of B: stays in the L1 or L2 cache while
//   tile     the block's rows pass over it, mr at a time; k stays in registers from end to end
//
// A block of A (block_rows x k) and a strip of B share the L2 cache.
#pragma once

#include "src/kernel.h"

namespace narrow {

struct BlockingInput {
  std::int64_t m, n, k;  ///< k padded
  std::int64_t a_row_bytes;  ///< of one row as the kernel reads it
  Caches caches;
  int threads;  ///< that the caller offers
};

struct Blocking {
  int threads;               ///< worth using
  std::int64_t block_rows;   ///< multiple of the tile's rows
  std::int64_t slab_rows;    ///< of packed A at a time, at most; multiple of the tile's rows
  std::int64_t chunk_panels;
  int strip_panels;
  int slices;  ///< of k; more than one only where there are fewer tiles than threads
  std::int64_t slice_k;  ///< k of all slices but the last; multiple of k_unit
};

Blocking block(const Geometry& geometry, const BlockingInput& input) noexcept;

/// Cuts `total` into ceil(total / most) parts that differ by at most one: the size of part number `index`.
struct Parts {
  std::int64_t count, size, larger;  ///< the first `larger` parts are one longer than `size`
  std::int64_t operator[](std::int64_t index) const noexcept { return size + (index < larger); }
};
constexpr Parts split(std::int64_t total, std::int64_t most) noexcept {
  if (total <= most) return {total > 0, total, 0};  // the common case of small products, without a division
  const std::int64_t count = (total + most - 1) / most;
  return {count, total / count, total % count};
}

}  // namespace narrow
