// A pass of tiles over a strip of B: how they follow one another, what they read and what they ask for meanwhile. All of it
// inline in the one place that uses it, as calls would cost the smallest products 2 to 4 %.
#pragma once

#include <algorithm>

#include "src/blocking.h"
#include "src/operand.h"

namespace narrow {

/// Asks for a line of C that will be written. (To read, it would come to be shared, and the store would have to ask again; and
/// to read is what the builtin function asks for on x86-64, whose baseline lacks the other instruction.)
#if defined(__x86_64__)
inline void ask_to_write(const char* line) { asm volatile("prefetchw %0" : : "m"(*line)); }
#else
inline void ask_to_write(const char* line) { __builtin_prefetch(line, 1, 3); }
#endif

/// The same for `bytes` of each of so many rows.
inline void ask_to_write(const char* c, std::ptrdiff_t row_bytes, std::int64_t rows, std::ptrdiff_t bytes) {
  for (; rows > 0; --rows, c += row_bytes)
    for (const char* at = c - reinterpret_cast<std::uintptr_t>(c) % line; at < c + bytes; at += line) ask_to_write(at);
}

/// One pass of tiles over a strip, each tile below the one before.
struct Pass {
  const TileFn* run;
  char* buffer;       ///< for B unpacked; null where tiles read the panels
  bool apart;         ///< panels are taken one after another, by tiles of one (see Kernel::stream_rows)
  Parts tiles;        ///< in groups of rows
  int row_group;
  std::int64_t rows;  ///< that are left
  const char* tail;   ///< A of the last tile, where it does not lie below the others'; else null
  std::ptrdiff_t tail_stride;
  bool carried;  ///< the sums go on from those in C
  std::ptrdiff_t c_row_bytes, c_panel_bytes;
  std::ptrdiff_t c_asked;  ///< bytes of a row that each tile asks for before it begins, as it writes them in the end; or 0
  const char* after;  ///< what is read after the pass; null: nothing that is known
  bool ahead;  ///< see asks_ahead; the first tile decides, as it is the one to which B is new; or the only one of a strip
  const char* next;   ///< what the next tile asks for, if it is not yet next_end
  const char* next_end;
  std::ptrdiff_t next_share;  ///< from what one tile asks for to what the one below it does
  std::ptrdiff_t next_step;   ///< see TileArgs
  std::int64_t first_to_ask;  ///< of the tiles
  Reals reals;                ///< what args.reals is where tiles write floats
  TileArgs args;              ///< of the next tile

  /// Decides what the tiles ask for: each for what it needs itself a little later; or, as B may come from memory at less than
  /// the pace of a pass, each for a share of what is read after it. Of many tiles only the last ones do: a block of A and two
  /// strips crowd the L2 cache, so the next strip had better not come before it has to (128x4096x4096 and 128x11008x4096 1 to
  /// 4 % faster). Strips of groups are narrower and gain nothing by it.
  void ask(const Product& p) {
    constexpr std::int64_t asking_tiles = 4;
    next = next_end = nullptr;
    args.next = args.b;
    args.next_step = next_step = next_share = 0;
    first_to_ask = 0;
    args.to_l2 = rows > 2 && rows <= p.l2_rows;
    if (buffer) return;
    if (ahead) {
      if (p.ahead_bytes == 0 || rows <= p.unasked_rows) return;
      next = static_cast<const char*>(args.b) + p.ahead_bytes;
      next_end = p.panels + p.panel_count * p.panel_stride;
      next_step = p.step_bytes;
    } else if (after) {
      const std::int64_t asking = p.groups.count ? tiles.count : std::min(tiles.count, asking_tiles);
      first_to_ask = tiles.count - asking;
      next = after;
      next_end = after + p.step_bytes * args.steps;
      next_step = divide_up(p.step_bytes, asking);
      next_share = next_step * args.steps;
    }
  }

  /// Unpacks what the tiles are to read, where that is their way.
  void unpack(const Product& p) {
    if (!buffer) return;
    const Geometry &packed = p.kernel->geometry, &unpacked = p.kernel->unpacking.geometry;
    const int panels = static_cast<int>(divide_up(args.cols, packed.nr));
    const std::ptrdiff_t stride = bytes_of_unpacked(unpacked, args.steps * packed.kr);
    p.kernel->unpacking.run({args.b, args.b_stride, panels, args.steps, buffer, stride});
    args.b = buffer;
    args.b_stride = stride;
    args.steps = args.steps * packed.kr / unpacked.kr;
  }

  /// The next tiles: [begin, end).
  void run_tiles(const Product& p, std::int64_t begin, std::int64_t end) {
    if (row_group > 1 || tail || apart || carried || c_asked > 0 || args.row_begin || next ||
        (args.reals && reals.row_scale_step != 0))
      run_in_turn<true>(p, begin, end);
    else
      run_in_turn<false>(p, begin, end);
  }

 private:
  /// `more` than the places in A and C changes from tile to tile. In most small products nothing does, and their tiles, of bits
  /// above all, take so little time that what is not needed in between is better left out (2 to 5 % of 64^3).
  template <bool more>
  void run_in_turn(const Product& p, std::int64_t begin, std::int64_t end) {
    const TileFn* const run_rows = run;
    const Parts parts = tiles;
    const char* a = static_cast<const char*>(args.a);
    char* c = reinterpret_cast<char*>(args.c);
    std::ptrdiff_t a_stride = args.a_stride;
    const std::ptrdiff_t c_stride = c_row_bytes;
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t groups = parts[t];
      std::int64_t count = groups;
      if constexpr (more) {
        count = row_group == 1 ? groups : std::min(groups * row_group, rows);
        if (tail && t + 1 == parts.count) {
          a = tail;
          args.a_stride = a_stride = tail_stride;
        }
        if (carried) args.init = reinterpret_cast<const std::int32_t*>(c);
        const bool asks = t >= first_to_ask && next < next_end;
        args.next = asks ? next : args.b;
        args.next_step = asks ? next_step : 0;
        if (asks) next += next_share;
        if (c_asked > 0) ask_to_write(c, c_row_bytes, count, c_asked);
      }
      args.a = a;
      args.c = reinterpret_cast<std::int32_t*>(c);
      if (more && apart)
        run_apart(p.kernel->geometry.nr, count);
      else
        run_rows[count - 1](args);
      a += groups * a_stride;
      c += count * c_stride;
      rows -= count;
      if constexpr (more) {
        if (!carried && args.row_begin) args.row_begin += count;
        if (args.reals) reals.row_scale += count * reals.row_scale_step;
      }
    }
    args.a = a;
    args.c = reinterpret_cast<std::int32_t*>(c);
  }

  /// See `apart`. A function of its own, as its copies would cost every other product 2 ns.
  [[gnu::noinline]] void run_apart(int nr, std::int64_t count) const {
    TileArgs one = args;
    Reals by{};
    if (one.reals) {
      by = reals;
      one.reals = &by;
    }
    for (int left = one.cols; left > 0; left -= nr) {
      one.cols = std::min(left, nr);
      run[count - 1](one);
      one.b = static_cast<const char*>(one.b) + one.b_stride;
      one.c = reinterpret_cast<std::int32_t*>(reinterpret_cast<char*>(one.c) + c_panel_bytes);
      one.init = offset(one.init, nr);
      one.first_column += nr;
      one.turned >>= nr;
      by.scale = offset(by.scale, nr);
      by.bias = offset(by.bias, nr);
    }
  }
};

}  // namespace narrow
