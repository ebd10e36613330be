// Rows of A on their way to the tiles: read in place where a kernel can, else packed into scratch.
#pragma once

#include "src/bits.h"
#include "src/driver.h"

namespace narrow {

inline constexpr std::size_t line = 64;  // bytes of a cache line

/// The first byte of scratch that begins a cache line.
inline char* align(void* scratch) {
  return static_cast<char*>(scratch) + (line - reinterpret_cast<std::uintptr_t>(scratch) % line) % line;
}

/// So few rows are read in place whatever their stride.
inline constexpr std::int64_t in_place_rows = 4;

/// A's rows in place would collide in the L1 cache when a tile walks more of them than a set has ways.
inline bool aliases(const Product& p, const GemmArgs& item) {
  return item.m > in_place_rows && item.a_stride * static_cast<std::int64_t>(size_of(p.a)) % 4096 == 0;
}

/// How A comes to the tiles.
enum class Reading {
  in_place,
  tail_copied,  ///< in place but for its last rows: reading past the end of any other is reading the next one, where B is zero
  packed,
};

inline Reading reading(const Product& p, const GemmArgs& item) {
  if (p.must_pack || aliases(p, item)) return Reading::packed;
  if (!p.ragged) return Reading::in_place;
  return p.k_padded - p.k <= item.a_stride ? Reading::tail_copied : Reading::packed;
}

/// Elements from row to row of A in the order of k that the panels have: rows of nibbles begin with a byte of their own.
inline std::int64_t gathered_stride(const Product& p) { return p.k + p.k % 2; }

/// What pack_a leaves in scratch for the rows of one slab.
struct Packed {
  char* a;
  float* scale;
  std::int32_t* zero_point;
  std::int32_t* row_sum;
  std::int32_t* row_begin;  ///< see Unpacking
  char* gathered;           ///< rows of A as they were given, in the order of k that the panels have
  char* work;  ///< int32 [slices][rows][n padded to panels], where k is sliced, else a buffer a thread for B unpacked

  static std::size_t bytes_per_row(const Product& p) {
    return static_cast<std::size_t>(p.packed_row_bytes + (p.permutation ? bytes_of(p.a, gathered_stride(p)) : 0)) + 4 * 4;
  }
  static std::size_t slack(const Product& p) {  // alignment of seven sections, and a partner for an odd last row
    return 7 * line + static_cast<std::size_t>(p.packed_row_bytes) * (p.kernel->geometry.row_group - 1);
  }
  /// `at` is aligned to a cache line.
  static Packed carve(const Product& p, std::int64_t rows, char* at) {
    auto take = [&](std::int64_t bytes) {
      char* here = at;
      at += round_up(bytes, line);
      return here;
    };
    Packed s;
    s.a = take(p.packed_row_bytes * round_up(rows, p.kernel->geometry.row_group));
    s.scale = reinterpret_cast<float*>(take(4 * rows));
    s.zero_point = reinterpret_cast<std::int32_t*>(take(4 * rows));
    s.row_sum = reinterpret_cast<std::int32_t*>(take(4 * rows));
    s.row_begin = reinterpret_cast<std::int32_t*>(take(4 * rows));
    s.gathered = take(p.permutation ? bytes_of(p.a, gathered_stride(p)) * rows : 0);
    s.work = at;
    return s;
  }
};

inline std::int64_t padded_n(const Product& p) { return p.panel_count * p.kernel->geometry.nr; }

/// Rows of one item, somewhere in A, ready for tiles.
struct Rows {
  const char* a;
  std::ptrdiff_t a_stride;  ///< from row (group) to row (group)
  const float* scale;
  const std::int32_t* zero_point;
  const std::int32_t* row_sum;
  const std::int32_t* row_begin = nullptr;
  const char* tail = nullptr;  ///< where Reading::tail_copied: the copy of the item's last rows
  std::int64_t tail_rows = 0;
  std::ptrdiff_t tail_stride = 0;

  Rows from(std::int64_t row, int row_group) const {
    return {a + (row_group == 1 ? row : row / row_group) * a_stride,
            a_stride,
            scale ? scale + row : nullptr,
            zero_point ? zero_point + row : nullptr,
            row_sum ? row_sum + row : nullptr,
            row_begin ? row_begin + row : nullptr,
            tail,
            tail_rows,
            tail_stride};
  }
};

/// From row to row of A as it was given. Rows without values may be nowhere, and so there is nothing between them.
inline std::int64_t stride_of_a(const Product& p, const GemmArgs& item) { return p.k > 0 ? item.a_stride : 0; }

inline Rows in_place(const Product& p, const GemmArgs& item) {
  return {static_cast<const char*>(item.a), stride_of_a(p, item) * static_cast<std::ptrdiff_t>(size_of(p.a)), item.a_scale,
          item.a_zero_point, nullptr};
}

/// `count` rows of an item, from `row` on, to where they lie in scratch as rows `to` and on.
void pack_rows(const Product& p, const GemmArgs& item, std::int64_t row, std::int64_t count, const Packed& packed,
               std::int64_t to);

/// Rows as pack_rows leaves them.
Rows packed_rows(const Product& p, const Packed& packed);

/// Copies the last `count` rows of an item to where tiles may read beyond the end of the last.
void copy_tail(const Product& p, const GemmArgs& item, std::int64_t count, const Packed& packed);

/// Rows in place, but for the last `count`, which copy_tail has left in scratch.
Rows rows_with_tail(const Product& p, const GemmArgs& item, const Packed& packed, std::int64_t count);

/// Rows of a tail that serves strips of any width.
std::int64_t tail_rows(const Product& p, std::int64_t m);

}  // namespace narrow
