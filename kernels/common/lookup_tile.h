// Bits without an instruction that counts them: a table of counts, looked up by a byte shuffle.
//
// A byte shuffle indexes 16 bytes by four bits of as many columns as the vector has bytes. What is looked up are two counts in
// one byte: in how many places four bits of a column differ from four bits a0 of one row, in the low half, and from a1 of
// another row, in the high half. So there are 256 lines of 16 bytes, one for each a0 and a1 (over and over, for a plain load:
// broadcasting them would take the units that shuffle, on Zen 4 a fifth of the pace of 512 bits), and a panel keeps the byte of
// each column side by side:
//
//   step s of a panel    | c0: byte s | c1: byte s | ... |    index: and 15, the low four bits; shift, and 15, the high four
//   byte s of two rows   h0 l0, h1 l1                         shuffle(line[l1 l0], low), shuffle(line[h1 h0], high)
//
// The counts of three lookups (at most 12) fit their halves of the byte. Then the bytes are added to `both`, and their high
// halves, shifted down, to `second`: the count of the second row. That of the first is both - 16 * second modulo 256. Six
// lookups thus take 6 shuffles, 4 + 2 + 2 additions, 2 shifts and 2 ands: 18 operations for 4 bits of 12 pairs of a row and
// a column in each byte, where lookups for one row at a time take 24, half of them shuffles, for which processors have few
// ports. The last of an odd number of rows has lines of its own and does that.
//
// Counts are bytes, one for each row and column; a step adds at most 8, so after 28 steps they go over into 16 bits, and at the
// end into C. The bytes of A are made places in the table before, for four such blocks at a time: the first lookups after that
// wait for them to come back from memory.
//
// Isa provides V, a vector of nr bytes, its tier's Vectors (with zero, load and nibbles of V), and
//   lookup(line, index), add_lookup(v, line, index)   shuffle(line, index); v += that
//   add_few(few, both, second)                        both += few, second += the high half of few's bytes; few may be lost
//   first_of(both, second)                            both - 16 * second
//   line_offsets(x, y, bytes, to)                     see kernels/avx2/lookup.h
//   add_bytes(v, sum)                                 sum[j] += v[j], in 16 bits
//   subtract_twice(from, v, to)                       to[j] = from[j] - 2 * v[j], of bytes or of such sums in memory
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

/// First the lines for two rows, [a1 << 4 | a0], then those for one, [a].
template <int line>
struct alignas(64) DifferenceTable {
  static constexpr int for_one_row = 256 * line;
  uint8_t count[256 + 16][line] = {};

  constexpr DifferenceTable() {
    for (int j = 0; j < line; ++j) {
      const int b = j & 15;
      for (int a = 0; a < 256; ++a)
        count[a][j] = static_cast<uint8_t>(__builtin_popcount((a & 15) ^ b) | __builtin_popcount(a >> 4 ^ b) << 4);
      for (int a = 0; a < 16; ++a) count[256 + a][j] = static_cast<uint8_t>(__builtin_popcount(a ^ b));
    }
  }
};
template <int line>
constexpr DifferenceTable<line> differences;

template <class Isa, int rows, int panels, bool indirect>
void lookup_tile(const TileArgs& args) {
  using V = typename Isa::V;
  using Vectors = typename Isa::Vectors;
  constexpr int nr = Isa::geometry.nr, width = panels * nr, unit = 4, lookups = 2 * unit;
  constexpr int pairs = rows / 2, sets = pairs + rows % 2;
  constexpr ptrdiff_t most = 28;  // steps of which no count leaves a byte: a multiple of the unit, up to 255 / 8
  constexpr int most_blocks = 65535 / (8 * most);  // of which none leaves 16 bits
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

  constexpr ptrdiff_t most_places = 4 * most;  // steps whose bytes have theirs in `offset`
  alignas(64) uint16_t offset[sets][2 * most_places];
  alignas(64) uint16_t differ[rows][width];  // in how many places, in `blocks` blocks of steps
  int blocks = 0;
  alignas(64) int32_t sum[rows][width];  // where C takes only a part of the last panel, or there are more blocks
  const bool whole = args.cols == width;
  const int32_t* from[rows];
  unroll<rows>([&](int r) NARROW_LAMBDA {
    if constexpr (indirect)
      from[r] = static_cast<const WindowRow*>(args.a)[r].init + args.first_column;
    else
      from[r] = args.init + r * args.init_stride;
  });

  auto take = [&](ptrdiff_t left, bool last_run) NARROW_LAMBDA {
    ptrdiff_t done = most_places;  // of these steps
    do {  // once at least
      if (done == most_places) {
        const ptrdiff_t some = left < most_places ? left : most_places;
        unroll<pairs>([&](int s) NARROW_LAMBDA { Isa::line_offsets(row(2 * s), row(2 * s + 1), some, offset[s]); });
        if constexpr (sets > pairs) Isa::line_offsets(row(rows - 1), nullptr, some, offset[pairs]);
        at += some;
        done = 0;
      }
      const ptrdiff_t steps = left < most ? left : most, end = done + steps;

      V both[sets][panels], second[sets][panels];
      unroll<sets, panels>([&](int s, int p) NARROW_LAMBDA { both[s][p] = second[s][p] = Vectors::zero(); });
      for (ptrdiff_t i = done; i < end; i += unit, b += unit * nr) {
        V few[sets][panels];
        unroll<lookups>([&](auto n) NARROW_LAMBDA {
          unroll<panels>([&](int p) NARROW_LAMBDA {
            const V index = Vectors::template nibbles<n % 2>(Vectors::load(b + p * b_stride + n / 2 * nr));
            unroll<sets>([&](auto s) NARROW_LAMBDA {
              const V line = Vectors::load(table + (s < pairs ? 0 : DifferenceTable<nr>::for_one_row) +
                                       nr / 16 * static_cast<size_t>(offset[s][2 * i + n]));
              if constexpr (s == pairs)
                Isa::add_lookup(both[s][p], line, index);
              else if constexpr (n % 3 == 0)
                few[s][p] = Isa::lookup(line, index);
              else
                Isa::add_lookup(few[s][p], line, index);
            });
          });
          if constexpr (n % 3 == 2 || n + 1 == lookups)
            unroll<pairs, panels>([&](int s, int p) NARROW_LAMBDA { Isa::add_few(few[s][p], both[s][p], second[s][p]); });
        });
      }
      done = end;
      V count[rows][panels];
      unroll<rows, panels>([&](int r, int p) NARROW_LAMBDA {
        const int s = r / 2;
        count[r][p] = s == pairs ? both[s][p] : r % 2 == 0 ? Isa::first_of(both[s][p], second[s][p]) : second[s][p];
      });

      const bool last = last_run && left <= most;
      int32_t* const to = last && whole ? args.c : sum[0];
      const ptrdiff_t to_stride = last && whole ? args.c_stride : width;
      if (last && blocks == 0) {  // usual for small products, which have no time for a detour
        unroll<rows, panels>([&](int r, int p) NARROW_LAMBDA {
          Isa::subtract_twice(from[r] + p * nr, count[r][p], to + r * to_stride + p * nr);
        });
        return;
      }
      if (blocks == 0) memset(differ, 0, sizeof differ);
      unroll<rows, panels>([&](int r, int p) NARROW_LAMBDA { Isa::add_bytes(count[r][p], differ[r] + p * nr); });
      if (++blocks < most_blocks && !last) continue;
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < width; j += nr) Isa::subtract_twice(from[r] + j, differ[r] + j, to + r * to_stride + j);
        from[r] = sum[r];
      }
      blocks = 0;
    } while ((left -= most) > 0);
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
