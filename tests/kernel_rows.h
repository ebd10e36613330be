// Calls the functions of one kernel row by hand, on guarded memory, without the driver.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "src/bits.h"
#include "tests/guarded.h"
#include "tests/reference.h"
#include "tests/rng.h"
#include "tests/tiers.h"

namespace narrow::test {

inline std::int64_t padded_k(const Geometry& g, std::int64_t k) { return (k + g.k_unit - 1) / g.k_unit * g.k_unit; }

/// Integers A[rows][k], kept as numbers and as packed by the row's pack_a.
struct PackedA {
  std::vector<std::int32_t> values;  ///< as stored: with the kernel's offset
  std::vector<std::int32_t> row_sum, row_begin;
  Guarded packed;
  std::ptrdiff_t stride = 0;  ///< bytes from row (group) to row (group)
};

template <class T>
PackedA pack_rows(const Kernel& kernel, Type type, int rows, std::int64_t k, Fill fill, Rng& rng) {
  const Geometry& g = kernel.geometry;
  const std::int64_t row_stride = k + rng.between(0, 3);
  std::vector<T> raw(matrix_elements(rows, k, row_stride));
  for (T& v : raw) v = draw<T>(rng, fill);
  const Guarded source = guarded_copy(raw.data(), raw.size());

  PackedA a;
  a.row_sum.resize(static_cast<std::size_t>(rows), -1);
  if (kernel.unpacking.run) a.row_begin.resize(static_cast<std::size_t>(rows), -1);
  for (int i = 0; i < rows; ++i)
    for (std::int64_t p = 0; p < k; ++p)
      a.values.push_back(static_cast<std::int32_t>(raw[i * row_stride + p]) + a_offset(type, g.a));

  const std::int64_t kp = padded_k(g, k);
  const int groups = (rows + g.row_group - 1) / g.row_group;
  a.stride = g.row_group * kp * static_cast<std::ptrdiff_t>(size_of(g.a));
  a.packed = Guarded(static_cast<std::size_t>(groups * a.stride), 64);
  kernel.pack_a({.src = source.data(),
                 .src_type = type,
                 .stride = row_stride,
                 .rows = rows,
                 .k = k,
                 .k_padded = kp,
                 .dynamic = Dynamic::symmetric,
                 .dst = a.packed.data(),
                 .row_sum = a.row_sum.data(),
                 .row_begin = kernel.unpacking.run ? a.row_begin.data() : nullptr,
                 .scale = nullptr,
                 .zero_point = nullptr});
  return a;
}

inline PackedA pack_rows(const Kernel& kernel, Type type, int rows, std::int64_t k, Fill fill, Rng& rng) {
  return type == Type::u8 ? pack_rows<std::uint8_t>(kernel, type, rows, k, fill, rng)
                          : pack_rows<std::int8_t>(kernel, type, rows, k, fill, rng);
}

/// Integers B[k][cols], as numbers and as the row's pack_b leaves them.
struct PackedB {
  std::vector<std::int32_t> values;  ///< [cols][k]
  std::vector<std::int32_t> column_sum;
  Guarded packed;
  std::ptrdiff_t stride = 0;  ///< bytes from panel to panel
  int panels = 0;
};

inline PackedB pack_columns(const Kernel& kernel, Order order, int cols, std::int64_t k, Fill fill, Rng& rng,
                            bool around_caches = false) {
  const Geometry& g = kernel.geometry;
  const std::int64_t lines = order == Order::nk ? cols : k, length = order == Order::nk ? k : cols;
  const std::int64_t stride = length + rng.between(0, 3);
  std::vector<std::int8_t> raw(matrix_elements(lines, length, stride));
  for (std::int8_t& v : raw) v = draw<std::int8_t>(rng, fill);
  const Guarded source = guarded_copy(raw.data(), raw.size());

  PackedB b;
  b.column_sum.resize(static_cast<std::size_t>(cols), -1);
  for (int j = 0; j < cols; ++j)
    for (std::int64_t p = 0; p < k; ++p) b.values.push_back(raw[order == Order::nk ? j * stride + p : p * stride + j]);

  b.panels = (cols + g.nr - 1) / g.nr;
  b.stride = (padded_k(g, k) * g.nr + 63) / 64 * 64;
  b.packed = Guarded(static_cast<std::size_t>(b.panels * b.stride), 64);
  kernel.pack_b({.src = source.data(),
                 .order = order,
                 .stride = stride,
                 .k = k,
                 .k_padded = padded_k(g, k),
                 .cols = cols,
                 .dst = b.packed.data(),
                 .dst_stride = b.stride,
                 .around_caches = around_caches});
  for (int p = 0; p < b.panels; ++p)
    kernel.sum_columns(b.packed.data() + p * b.stride, padded_k(g, k), std::min<int>(g.nr, cols - p * g.nr),
                       b.column_sum.data() + p * g.nr);
  return b;
}

/// The same columns as tiles of unpacked B read them.
inline PackedB unpack_columns(const Kernel& kernel, const PackedB& packed, std::int64_t k) {
  PackedB b;
  b.values = packed.values;
  b.panels = packed.panels;
  b.stride = bytes_of_unpacked(kernel.unpacking.geometry, padded_k(kernel.geometry, k));
  b.packed = Guarded(static_cast<std::size_t>(b.panels * b.stride), 64);
  kernel.unpacking.run({packed.packed.data(), packed.stride, b.panels, padded_k(kernel.geometry, k) / kernel.geometry.kr,
                        b.packed.data(), b.stride});
  return b;
}

/// The ways in which a kernel's tiles take B: as it is packed and, if it has such, unpacked.
inline std::vector<bool> ways(const Kernel& kernel) {
  return kernel.unpacking.run ? std::vector<bool>{false, true} : std::vector<bool>{false};
}
inline const Geometry& tile_geometry(const Kernel& kernel, bool unpacked) {
  return unpacked ? kernel.unpacking.geometry : kernel.geometry;
}
inline TileFn tile_of(const Kernel& kernel, bool unpacked, int panels, int rows) {
  return (unpacked ? kernel.to_sums.unpacked : kernel.to_sums.plain)[panels - 1][rows - 1];
}

/// The sum that a tile leaves, modulo 2^32.
inline std::int32_t tile_sum(const PackedA& a, const PackedB& b, std::int64_t k, int i, int j, std::int32_t init) {
  std::uint32_t sum = static_cast<std::uint32_t>(init);
  for (std::int64_t p = 0; p < k; ++p)
    sum += static_cast<std::uint32_t>(a.values[i * k + p]) * static_cast<std::uint32_t>(b.values[j * k + p]);
  return static_cast<std::int32_t>(sum);
}

/// Runs one tile function and compares all of its sums, and that nothing else of C changed.
inline testing::AssertionResult check_tile(const Kernel& kernel, bool unpacked, int rows, const PackedA& a,
                                           const PackedB& packed, std::int64_t k, int cols, Rng& rng) {
  const Geometry& g = kernel.geometry;
  const PackedB widened = unpacked ? unpack_columns(kernel, packed, k) : PackedB();
  const PackedB& b = unpacked ? widened : packed;
  if (unpacked && !b.packed.margins_intact())
    return testing::AssertionFailure() << kernel.name << ": unpacked beyond the buffer";
  const int panels = (cols + g.nr - 1) / g.nr;
  // The same initial sums for all rows, or each row's own.
  const std::int64_t init_stride = rng.between(0, 1) * panels * g.nr;
  const int init_rows = init_stride ? (rows + g.row_group - 1) / g.row_group * g.row_group : 1;
  std::vector<std::int32_t> init(static_cast<std::size_t>(init_rows * panels * g.nr));
  for (std::int32_t& v : init) v = draw<std::int32_t>(rng, Fill::random);
  const Guarded guarded_init = guarded_copy(init.data(), init.size());

  constexpr std::int32_t untouched = 0x5a5a5a5a;
  const std::int64_t stride = cols + rng.between(0, 5);
  Guarded c(matrix_elements(rows, cols, stride) * sizeof(std::int32_t), alignof(std::int32_t));
  auto* sums = c.as<std::int32_t>();
  for (std::size_t i = 0; i < c.size() / sizeof(std::int32_t); ++i) sums[i] = untouched;

  tile_of(kernel, unpacked, panels, rows)({.a = a.packed.data(),
                                           .a_stride = a.stride,
                                           .b = b.packed.data(),
                                           .b_stride = b.stride,
                                           .next = b.packed.data(),
                                           .next_step = g.nr * g.kr,
                                           .steps = padded_k(g, k) / tile_geometry(kernel, unpacked).kr,
                                           .init = guarded_init.as<std::int32_t>(),
                                           .init_stride = init_stride,
                                           .c = sums,
                                           .c_stride = stride,
                                           .cols = cols,
                                           .row_begin = a.row_begin.data()});
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(c.size() / sizeof(std::int32_t)); ++at) {
    const int i = static_cast<int>(at / stride), j = static_cast<int>(at % stride);
    const std::int32_t expected = j < cols ? tile_sum(a, b, k, i, j, init[i * init_stride + j]) : untouched;
    if (sums[at] != expected)
      return testing::AssertionFailure() << kernel.name << ", tile " << rows << " rows x " << panels << " panels, cols " << cols
                                         << ", k " << k << ": row " << i << ", column " << j << " is " << sums[at]
                                         << ", expected " << expected;
  }
  if (!c.margins_intact()) return testing::AssertionFailure() << kernel.name << ": written around C";
  return testing::AssertionSuccess();
}

/// Every tile function of a row, over k of 1 to 33 units, with fills of all kinds; both types of A.
inline void check_all_tiles(const Kernel& kernel) {
  Rng rng(17);
  for (bool unpacked : ways(kernel)) {
    const Geometry& g = tile_geometry(kernel, unpacked);
    for (Type type : {Type::u8, Type::s8})
      for (int panels = 1; panels <= g.max_panels; ++panels)
        for (int rows = 1; rows <= g.max_rows[panels - 1]; ++rows) {
          if (unpacked && !tile_of(kernel, unpacked, panels, rows)) continue;
          ASSERT_NE(tile_of(kernel, unpacked, panels, rows), nullptr) << kernel.name << ' ' << rows << 'x' << panels;
          for (std::int64_t units : {1, 2, 3, 4, 5, 8, 13, 33}) {
            const std::int64_t k = units * g.k_unit - rng.between(0, g.k_unit - 1);
            const Fill a_fill = static_cast<Fill>(rng.between(0, 3)), b_fill = static_cast<Fill>(rng.between(0, 3));
            const PackedA a = pack_rows(kernel, type, rows, k, a_fill, rng);
            const PackedB b = pack_columns(kernel, rng.one_in(2) ? Order::nk : Order::kn, panels * g.nr, k, b_fill, rng);
            const auto some = static_cast<int>(rng.between((panels - 1) * g.nr + 1, panels * g.nr));
            ASSERT_TRUE(check_tile(kernel, unpacked, rows, a, b, k, panels * g.nr, rng));
            ASSERT_TRUE(check_tile(kernel, unpacked, rows, a, b, k, some, rng));
          }
        }
  }
}

}  // namespace narrow::test
