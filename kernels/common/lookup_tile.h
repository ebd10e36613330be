// Bits without an instruction that counts them: a table of 16 counts, looked up by a byte shuffle.
//
// Four bits of a row, a, differ from four bits of a column, b, in table[a][b] places. For one a the table is 16 bytes, which is
// what a byte shuffle indexes: one shuffle and one addition take four bits of as many columns as the vector has bytes, where
// counting in registers would take eight instructions for twice that. So a panel keeps the byte of each column side by side:
//
//   step s of a panel   | c0: byte s | c1: byte s | ... |       load, and 15: the low four bits; shift, and 15: the high four
//   byte s of a row     h l                                     two rows of the table: shuffle(table[l], low) +
//   shuffle(table[h], high)
//
// Counts are bytes, one for each column; a step adds at most 8, so after 28 steps they go over into int32.
//
// Isa provides V (a vector of nr bytes), zero(), load(p), low(v), high(v),
// add_lookup(v, table, index): v += shuffle(table, index), and subtract_twice(from, v, to): to[j] = from[j] - 2 * v[j].
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

/// The 16 bytes of each row over and over, for a plain load: broadcasting them would take the units that shuffle.
template <int bytes>
struct alignas(64) DifferenceTable {
  uint8_t count[16][bytes] = {};

  constexpr DifferenceTable() {
    for (int a = 0; a < 16; ++a)
      for (int b = 0; b < bytes; ++b) count[a][b] = static_cast<uint8_t>(__builtin_popcount(a ^ (b & 15)));
  }
};
template <int bytes>
constexpr DifferenceTable<bytes> differences;

template <class Isa, int rows, int panels, bool indirect>
void lookup_tile(const TileArgs& args) {
  using V = typename Isa::V;
  constexpr int nr = Isa::geometry.nr, unit = 4;
  constexpr ptrdiff_t most = 28;  // steps of which no count leaves a byte: a multiple of the unit, up to 255 / 8
  static_assert(Isa::geometry.kr == 1 && Isa::geometry.k_unit == unit);
  const char* a = static_cast<const char*>(args.a);
  const char* b = static_cast<const char*>(args.b);
  const ptrdiff_t a_stride = args.a_stride, b_stride = args.b_stride;
  const char* const table = reinterpret_cast<const char*>(differences<nr>.count);

  const char* pixel[rows];
  ptrdiff_t at = 0;
  if constexpr (indirect) unroll<rows>([&](int r) NARROW_LAMBDA { pixel[r] = static_cast<const WindowRow*>(args.a)[r].a; });
  auto row = [&](int r) NARROW_LAMBDA {
    if constexpr (indirect)
      return pixel[r] + at;
    else
      return a + r * a_stride + at;
  };

  // Sums between one block of steps and the next, and at the end where C takes only a part of the last panel.
  alignas(64) int32_t sum[rows][panels * nr];
  const bool whole = args.cols == panels * nr;
  const int32_t* from[rows];
  unroll<rows>([&](int r) NARROW_LAMBDA {
    if constexpr (indirect)
      from[r] = static_cast<const WindowRow*>(args.a)[r].init + args.first_column;
    else
      from[r] = args.init + r * args.init_stride;
  });
  // Takes `steps` steps; those of the last block go to C where they can.
  auto take = [&](ptrdiff_t left, bool last_run) NARROW_LAMBDA {
    do {
      V differ[rows][panels];
      unroll<rows, panels>([&](int r, int p) NARROW_LAMBDA { differ[r][p] = Isa::zero(); });
      for (const ptrdiff_t end = at + (left < most ? left : most); at < end; at += unit, b += unit * nr) {
        uint64_t word[rows];  // times nr, so that four bits of it are an offset into the table
        unroll<rows>([&](int r) NARROW_LAMBDA {
          uint32_t value;
          memcpy(&value, row(r), unit);
          word[r] = static_cast<uint64_t>(value) * nr;
        });
        unroll<unit>([&](int i) NARROW_LAMBDA {
          V low[panels], high[panels];
          unroll<panels>([&](int p) NARROW_LAMBDA {
            const V v = Isa::load(b + p * b_stride + i * nr);
            low[p] = Isa::low(v);
            high[p] = Isa::high(v);
          });
          unroll<rows>([&](int r) NARROW_LAMBDA {
            const V of_low = Isa::load(table + (word[r] >> (8 * i) & 15 * nr));
            const V of_high = Isa::load(table + (word[r] >> (8 * i + 4) & 15 * nr));
            unroll<panels>([&](int p) NARROW_LAMBDA {
              Isa::add_lookup(differ[r][p], of_low, low[p]);
              Isa::add_lookup(differ[r][p], of_high, high[p]);
            });
          });
        });
      }
      left -= most;
      const bool into_c = last_run && left <= 0 && whole;
      int32_t* const to = into_c ? args.c : sum[0];
      const ptrdiff_t to_stride = into_c ? args.c_stride : panels * nr;
      unroll<rows>([&](int r) NARROW_LAMBDA {
        unroll<panels>([&](int p)
                           NARROW_LAMBDA { Isa::subtract_twice(from[r] + p * nr, differ[r][p], to + r * to_stride + p * nr); });
        from[r] = sum[r];
      });
    } while (left > 0);
  };
  if constexpr (indirect) {
    const Window window = *args.window;
    for (ptrdiff_t y = 0; y < window.rows; ++y)
      for (ptrdiff_t x = 0; x < window.runs; ++x) {
        at = window.first + y * window.row_stride + x * window.run_stride;
        take(args.steps, y == window.rows - 1 && x == window.runs - 1);
      }
  } else {
    take(args.steps, true);
  }
  if (!whole)
    for (int r = 0; r < rows; ++r) memcpy(args.c + r * args.c_stride, sum[r], sizeof(int32_t) * args.cols);
}

template <class Isa, bool indirect, bool reals>
struct LookupTiles {
  static_assert(!reals);
  TileFn run[max_tile_panels][max_tile_rows] = {};

  constexpr LookupTiles() {
    unroll<max_tile_panels, max_tile_rows>([&](auto p, auto r) {
      if constexpr (r < Isa::geometry.max_rows[p]) run[p][r] = lookup_tile<Isa, r + 1, p + 1, indirect>;
    });
  }
};
}  // namespace
}  // namespace narrow
