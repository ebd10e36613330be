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
// Isa provides V (a vector of nr bytes), zero(), load(p), low(v), high(v), load_table(p): 16 bytes over and over, add(v, v),
// shuffle(table, index), and subtract_twice(from, v, to): to[j] = from[j] - 2 * v[j].
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

struct alignas(64) DifferenceTable {
  uint8_t count[16][16] = {};

  constexpr DifferenceTable() {
    for (int a = 0; a < 16; ++a)
      for (int b = 0; b < 16; ++b) count[a][b] = static_cast<uint8_t>(__builtin_popcount(a ^ b));
  }
};
constexpr DifferenceTable differences;

template <class Isa, int rows, int panels>
void lookup_tile(const TileArgs& args) {
  using V = typename Isa::V;
  constexpr int nr = Isa::geometry.nr, unit = 4;
  constexpr ptrdiff_t most = 28;  // steps of which no count leaves a byte: a multiple of the unit, up to 255 / 8
  static_assert(Isa::geometry.kr == 1 && Isa::geometry.k_unit == unit);
  const char* a = static_cast<const char*>(args.a);
  const char* b = static_cast<const char*>(args.b);
  const ptrdiff_t a_stride = args.a_stride, b_stride = args.b_stride;

  alignas(64) int32_t sum[rows][panels * nr];
  unroll<rows>([&](auto r) NARROW_LAMBDA { memcpy(sum[r], args.init + r * args.init_stride, sizeof sum[r]); });
  for (ptrdiff_t left = args.steps; left > 0; left -= most) {
    V differ[rows][panels];
    unroll<rows>([&](auto r) NARROW_LAMBDA { unroll<panels>([&](auto p) NARROW_LAMBDA { differ[r][p] = Isa::zero(); }); });
    for (const char* end = a + (left < most ? left : most); a < end; a += unit, b += unit * nr) {
      uint32_t word[rows];
      unroll<rows>([&](auto r) NARROW_LAMBDA { memcpy(&word[r], a + r * a_stride, unit); });
      unroll<unit>([&](auto i) NARROW_LAMBDA {
        V low[panels], high[panels];
        unroll<panels>([&](auto p) NARROW_LAMBDA {
          const V v = Isa::load(b + p * b_stride + i * nr);
          low[p] = Isa::low(v);
          high[p] = Isa::high(v);
        });
        unroll<rows>([&](auto r) NARROW_LAMBDA {
          const V of_low = Isa::load_table(differences.count[word[r] >> (8 * i) & 15]);
          const V of_high = Isa::load_table(differences.count[word[r] >> (8 * i + 4) & 15]);
          unroll<panels>([&](auto p) NARROW_LAMBDA {
            differ[r][p] = Isa::add(differ[r][p], Isa::shuffle(of_low, low[p]));
            differ[r][p] = Isa::add(differ[r][p], Isa::shuffle(of_high, high[p]));
          });
        });
      });
    }
    unroll<rows>([&](auto r) NARROW_LAMBDA {
      unroll<panels>([&](auto p) NARROW_LAMBDA { Isa::subtract_twice(sum[r] + p * nr, differ[r][p], sum[r] + p * nr); });
    });
  }
  for (int r = 0; r < rows; ++r) memcpy(args.c + r * args.c_stride, sum[r], sizeof(int32_t) * args.cols);
}

template <class Isa>
struct LookupTiles {
  TileFn run[max_tile_panels][max_tile_rows] = {};

  constexpr LookupTiles() {
    unroll<max_tile_panels>([&](auto p) {
      unroll<max_tile_rows>([&](auto r) {
        if constexpr (r < Isa::geometry.max_rows[p]) run[p][r] = lookup_tile<Isa, r + 1, p + 1>;
      });
    });
  }
};
template <class Isa>
constexpr LookupTiles<Isa> lookup_tiles;

}  // namespace
}  // namespace narrow
