// The loop nest, for every type and every operation: packs A where it must, shares the units out over the threads, walks strips
// and tiles. Untemplated: what differs between types is behind the function pointers of the kernel's row.
#pragma once

#include <limits>

#include "src/blocking.h"

namespace narrow {

/// What tiles write: sums into a buffer, for an epilogue to finish, or C itself.
enum class Output : std::uint8_t { buffer, sums, reals, bits };

/// Product::unpack_rows that no product has.
inline constexpr std::int64_t never_unpacks = std::numeric_limits<std::int64_t>::max();

/// How many rows go over strips of B.
struct Strips {
  int widest;               ///< in panels
  std::int64_t kc;          ///< of one pass over a strip
  std::int64_t whole_rows;  ///< up to so many rows, read in place on one thread, are one unit of work
};

/// What a plan has resolved for the driver. Plain data.
struct Product {
  const Kernel* kernel;
  EpilogueFn epilogue;
  EpilogueSpec spec;
  ColumnSource columns;  ///< at column 0
  const char* panels;
  const std::int32_t* permutation;  ///< [k] of A as the panels have it; null: A's own order
  std::ptrdiff_t panel_stride;
  std::int64_t real_k;          ///< of values
  std::int64_t k, k_padded, n;  ///< elements of a row of A: as given, and of the kernel's type with padding
  Groups groups;                ///< of k; none where count is 0
  Window window;                ///< of a convolution, whose A is an array of WindowRow; none where its rows are 0
  std::int64_t panel_count;
  std::int64_t steps;             ///< k_padded / kr
  std::int64_t step_bytes;        ///< of one panel, for kr values of k
  std::int64_t packed_row_bytes;  ///< of one row of A as pack_a leaves it
  std::int64_t panel_bytes;       ///< of values of B, without padding between panels
  const TileFn* one_tile;         ///< [rows - 1]: of one strip of integer sums, the tiles that go from A in place to C at once
  std::int64_t one_tile_rows;     ///< up to so many, and more than stream_rows; else 0
  int ahead_bytes;                ///< how far ahead tiles ask that do so for themselves; 0: not, as the L2 cache holds B
  int stream_rows;                ///< see Kernel; 0 where B is not best read as one stream
  std::uint8_t unasked_rows;      ///< see Kernel; 0 where B is not so far, or the processor is not the one for it
  std::uint8_t l2_rows;           ///< likewise
  bool one_tile_asks;             ///< whether a strip's only tile does, however tall, as the pace of B is what counts
  std::int32_t near_rows;         ///< so many rows of C, beside B, are taken to stay in the caches, and are not asked for
  Strips packed, unpacked;        ///< of B as it is, and unpacked
  std::int64_t unpack_rows;       ///< so many rows take B unpacked; never_unpacks where that does not pay
  std::int64_t unpacked_bytes;    ///< of the buffer for that, for each thread
  Type a;
  Dynamic dynamic;
  const float* threshold;  ///< of values that become bits: null (0) or [threshold_stride * k]
  int threshold_stride;
  Output output;       ///< of tiles that go over the whole k
  bool from_zero;      ///< sums begin at zero
  bool flips;          ///< A is of 8 bits and read as it is by TileSet::flipped
  bool must_pack;      ///< A cannot be read in place, whatever its stride
  bool ragged;         ///< it can but for k not being a multiple of k_unit
  bool row_sums;       ///< of A are needed (B has zero points)
  bool columns_alike;  ///< in what prepare makes of them
  bool computes_floats;
  bool verbose;
};

/// Whether products of m rows take B unpacked.
inline bool unpacks(const Product& p, std::int64_t m) { return m >= p.unpack_rows; }

/// The tiles for one kind of output.
inline TileTable tile_table(const Product& p, Output output, bool unpacked = false) {
  const TileSet& tiles = output == Output::bits    ? p.kernel->to_bits
                         : output == Output::reals ? p.kernel->to_reals
                                                   : p.kernel->to_sums;
  return unpacked ? tiles.unpacked : p.window.rows ? tiles.indirect : p.flips ? tiles.flipped : tiles.plain;
}

/// The parameters of the columns from j on.
ColumnSource columns_from(const ColumnSource& all, std::int64_t j) noexcept;

/// What the plan leaves to compute for itself once the rest of `product` is set.
void complete(Product* product) noexcept;

/// Whether two products can be items of one batch, with A packed alike.
bool alike(const Product& a, const Product& b) noexcept;

/// How a product of m rows is cut up.
Blocking blocking(const Product& product, std::int64_t m, int threads) noexcept;

/// Bytes of scratch that any product of up to m rows can do with.
std::size_t scratch_up_to(const Product& product, std::int64_t m, int threads) noexcept;

/// Bytes of scratch for a product of m rows that is cut up like this.
std::size_t scratch_bytes(const Product& product, const Blocking& blocking, std::int64_t m) noexcept;

/// Bytes of scratch for items of so many rows in all, however they are shared out: k is not sliced then.
std::size_t bytes_for_any_rows(const Product& product, std::int64_t m, int threads) noexcept;

/// Whether a product is small enough to be a single unit of work on one thread, and worth no more. These have a way of their
/// own, past all blocking, because what a call costs beside its sums decides the speed of small products.
bool is_whole(const Product& product, const GemmArgs& item, const Parallel& parallel) noexcept;
/// scratch_bytes of such a product.
std::size_t whole_scratch_bytes(const Product& product, std::int64_t m) noexcept;
void multiply_whole(const Product& product, const GemmArgs& item, void* scratch) noexcept;

/// The products of items: one for all of them, or one for each, alike in all but where their columns' values and panels are.
struct Products {
  const Product* first;
  std::ptrdiff_t stride = 0;  ///< bytes from one to the next; 0: one for all

  const Product& operator[](int item) const {
    return *reinterpret_cast<const Product*>(reinterpret_cast<const char*>(first) + item * stride);
  }
};

/// Computes checked products. `blocking` is that of the largest item, `scratch` holds at least its scratch_bytes.
void multiply(const Products& products, const Blocking& blocking, const GemmArgs* items, int count, void* scratch,
              std::size_t bytes, const Parallel& parallel) noexcept;

}  // namespace narrow
