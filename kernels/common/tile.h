// The accumulation loop of every integer GEMM kernel, for all tiers: one template over an instruction set `Isa`, the number
// of rows and panels of the tile, and the number of independent phases of k.
//
//   registers   b[panel][vector]           the current k-step of each panel, loaded once, used by all rows
//               a                          kr values of one row, broadcast (or a longer piece of the row, see a_steps)
//               acc[phase][row][panel][vector]
//
// Where pack_a interleaves rows (Geometry::row_group), an A register holds the group's rows and an accumulator the sums of all
// of them; "row" above then reads "row group".
//
// A tile of many rows and panels has enough independent accumulators to hide the latency of the multiply; a small one gets
// more by spreading k-steps over phases, added up at the end.
// Integer addition is associative, so no choice of tile or phases changes a bit of the result.
//
// Accumulators begin at zero, and the initial sums, if there are any, are added on the way to C: loaded first, they would hold
// back the first products of a tile until the last stores of the one before are under way (20 cycles a tile on Zen 5).
//
// Isa provides:
//   geometry                  see src/kernel.h
//   Acc, B, A                 register types (accumulator, piece of a panel, piece of a row)
//   vectors                   accumulators across one panel
//   step_bytes                bytes of one panel for one k-step; B number v of it begins at v * step_bytes / vectors
//   a_bytes                   bytes of one row for one k-step
//   a_steps                   k-steps that one A register covers (1 where it is a broadcast)
//   turn_steps                may be there: k-steps of one turn of the main loop, where their number alone would make it one
//   in_flight                 independent accumulators wanted
//   prefetches                whether the tiles ask for the next panels ahead of time; it takes a load in each k-step and panel
//   load_a(p), load_b(p), zero(), add(acc, acc)
//   dot<s>(acc&, a, b)        acc += products of the k-step s of a
//   flip(a)                   may be there: an A of the other signedness as the dots take it (see Flipped in gemm_kernel.h)
//   first(acc&, a, b)         may be there: acc = products, which saves the tile's first k-step zeros and additions
//   begin(p, row)             may be there: what sums begin with instead of zero, of what the panel at p begins with, in
//                             begin_bytes, and of TileArgs::row_begin
//   from_rows                 may be there: the least rows that are ever cut into these tiles
//   Few                       may be there: the Isa, of the same operands, whose tiles serve up to Few::most_rows rows;
//                             Few::stream_rows goes to Kernel
//   load_step(p)              of an Isa with a_steps > 1 for k that is no multiple of them: an A for a single step (dot<0>)
//   store(p, acc), store_partial(p, acc, count)   with count in 1 .. lanes
//   lanes                     columns of one stored vector
//   finish(acc, init)         sums, as store takes them, from the accumulator and the initial sums in memory
//   ToReal                    for tiles that write reals (Kernel::to_reals): made of the columns' scale and bias in memory,
//                             it takes such sums and their row's scale to the bits of the floats to store
//   ToBytes<panels>           may be there, beside it: made of Reals and the number of columns to store, it takes one row's
//                             sums in so many panels to bytes in memory
//   at_least(acc, limit)      only of tiles that write bits (Kernel::to_bits): a mask of the columns whose accumulator is
//                             no less than the limit in memory
//   output(acc[vectors], row, v)   only where the accumulators of a panel are not yet one row's vectors of `lanes` columns: the
//                             vector v of a row of the group
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

/// The fewest phases (a power of two) that keep Isa::in_flight independent sums going.
template <class Isa>
constexpr int phases_of(int accumulators) {
  int phases = 1;
  while (phases * accumulators < Isa::in_flight) phases *= 2;
  return phases;
}

/// k-steps of one turn of the main loop.
template <class Isa>
constexpr int steps_of_turn(int phases) {
  int steps = phases > Isa::a_steps ? phases : Isa::a_steps;
  if constexpr (requires { Isa::turn_steps; }) steps = Isa::turn_steps;
  return steps;
}

/// k-steps that a tile goes on at once (a multiple of a_steps), whether they ask for B ahead, and whether they set the sums.
template <int count, bool asks, bool sets = false>
struct Turn {
  static constexpr int steps = count;
  static constexpr bool prefetch = asks, first = sets;
};

/// A function of its own, as clang 14 looks at both branches within a lambda.
template <class Isa, int s, bool first>
NARROW_INLINE void multiply(typename Isa::Acc& acc, typename Isa::A a, typename Isa::B b) {
  if constexpr (first)
    Isa::first(acc, a, b);
  else
    Isa::template dot<s>(acc, a, b);
}

/// Only where an accumulator is one row's columns of a whole panel.
template <class Isa>
concept StoresBytes = requires {
  typename Isa::template ToBytes<1>;
};

template <class Isa>
concept SetsSums = requires(typename Isa::Acc x, typename Isa::A a, typename Isa::B b) { Isa::first(x, a, b); };

/// Whose sums begin with something.
template <class Isa>
concept Begins = requires(const char* p, const int32_t* row) {
  Isa::begin(p, row);
};

/// What of a row covers so many steps: 1 or a_steps. (A function of its own for the same reason as `multiply`.)
template <class Isa, int steps>
NARROW_INLINE typename Isa::A load_row(const char* p) {
  if constexpr (steps < Isa::a_steps)
    return Isa::load_step(p);
  else
    return Isa::load_a(p);
}

template <class Isa>
concept LoadsStep = requires(const char* p) { Isa::load_step(p); };

/// The columns of a vector, all or the first `cols`, of which there may be none.
template <class Isa, class V>
NARROW_INLINE void store_columns(int32_t* to, V x, bool all, int cols) {
  if (all || cols >= Isa::lanes)
    Isa::store(to, x);
  else if (cols > 0)
    Isa::store_partial(to, x, cols);
}

/// The vector v of the row `row` of a group, of the accumulators of a panel.
template <class Isa>
NARROW_INLINE typename Isa::Acc sums_of(const typename Isa::Acc (&acc)[Isa::vectors], int row, int v) {
  if constexpr (Isa::geometry.row_group == 1 && Isa::geometry.nr == Isa::vectors * Isa::lanes)
    return acc[v];
  else
    return Isa::output(acc, row, v);
}

template <class Isa, int rows, int panels, bool indirect = false, bool reals = false>
void tile(const TileArgs& args) {
  constexpr int vectors = Isa::vectors;
  constexpr int nr = Isa::geometry.nr, row_group = Isa::geometry.row_group;
  constexpr int groups = (rows + row_group - 1) / row_group;
  constexpr int accumulators = groups * panels * vectors;
  constexpr int phases = indirect ? 1 : phases_of<Isa>(accumulators);  // runs may be short
  constexpr bool ahead = !indirect && asks_ahead(Isa::geometry, rows, panels);
  constexpr bool may_prefetch =
      Isa::prefetches && (ahead || rows > streaming_rows || rows == Isa::geometry.max_rows[panels - 1]);
  constexpr int unrolled = steps_of_turn<Isa>(phases);

  // Whether the first k-step sets the sums. Not where rows are few, and B comes from afar: as measured on Zen 5, it is then
  // read at half the pace. Nor where k is long, and there is little to gain.
  constexpr bool may_set = unrolled == 1 && rows > streaming_rows && SetsSums<Isa>;
  constexpr ptrdiff_t most_steps = 64;
  const bool sets = may_set && args.steps > 0 && args.steps <= most_steps;

  const char* a = static_cast<const char*>(args.a);
  const char* b = static_cast<const char*>(args.b);
  typename Isa::Acc acc[phases][groups][panels][vectors];
  if constexpr (Begins<Isa>) {
    static_assert(phases == 1 && row_group == 1);
    unroll<rows, panels>([&](int r, int p)
                             NARROW_LAMBDA { acc[0][r][p][0] = Isa::begin(b + p * args.b_stride, args.row_begin + r); });
    b += Isa::begin_bytes;
  } else if (!sets) {
    unroll<panels, vectors, phases * groups>([&](int p, int v, int i)
                                                 NARROW_LAMBDA { acc[i % phases][i / phases][p][v] = Isa::zero(); });
  }

  const char* next = static_cast<const char*>(args.next);
  const ptrdiff_t a_stride = args.a_stride, b_stride = args.b_stride, next_step = args.next_step;

  // Where row r is read: in a matrix, or at a common offset from a pointer of its own.
  const char* pixel[groups] = {};
  ptrdiff_t at = 0;
  if constexpr (indirect) unroll<groups>([&](int r) NARROW_LAMBDA { pixel[r] = static_cast<const WindowRow*>(args.a)[r].a; });

  auto advance = [&](auto turn) NARROW_LAMBDA {
    constexpr int held_steps = turn.steps < Isa::a_steps ? 1 : Isa::a_steps;
    typename Isa::A av[groups];  // for one step or several
    unroll<turn.steps>([&](auto step) NARROW_LAMBDA {
      constexpr int within = step % held_steps;
      typename Isa::B bv[panels][vectors];
      unroll<panels, vectors>([&](int p, int v) NARROW_LAMBDA {
        bv[p][v] = Isa::load_b(b + p * b_stride + step * Isa::step_bytes + v * (Isa::step_bytes / vectors));
      });
      if constexpr (turn.prefetch) {
        unroll<panels>([&](int p) NARROW_LAMBDA { __builtin_prefetch(next + p * b_stride, 0, ahead ? 3 : 2); });
        next += next_step;
      }
      unroll<groups, panels, vectors>([&](int r, int p, int v) NARROW_LAMBDA {
        if (within == 0 && p == 0 && v == 0)
          av[r] = load_row<Isa, held_steps>((indirect ? pixel[r] + at : a + r * a_stride) + step * Isa::a_bytes);
        multiply<Isa, within, turn.first>(acc[step % phases][r][p][v], av[r], bv[p][v]);
      });
    });
    if constexpr (indirect)
      at += turn.steps * Isa::a_bytes;
    else
      a += turn.steps * Isa::a_bytes;
    b += turn.steps * Isa::step_bytes;
  };
  ptrdiff_t steps = args.steps;
  if constexpr (may_set) {
    if constexpr (indirect) at = args.window->first;
    if (sets) {
      advance(Turn<1, may_prefetch, true>{});
      --steps;
    }
  }
  if constexpr (indirect) {
    const ptrdiff_t run_bytes = args.steps * Isa::a_bytes;
    ptrdiff_t done = sets ? Isa::a_bytes : 0;  // of the first run
    for (ptrdiff_t y = 0; y < args.window->rows; ++y)
      for (ptrdiff_t x = 0; x < args.window->runs; ++x) {
        at = args.window->first + y * args.window->row_stride + x * args.window->run_stride;
        const ptrdiff_t end = at + run_bytes;
        at += done;
        done = 0;
        while (at != end) advance(Turn<unrolled, may_prefetch>{});
      }
  } else {
    // Two loops, because in small products, with nothing to ask for, instructions are what limits the pace.
    if (may_prefetch && next_step != 0)
      for (; steps >= unrolled; steps -= unrolled) advance(Turn<unrolled, may_prefetch>{});
    else
      for (; steps >= unrolled; steps -= unrolled) advance(Turn<unrolled, false>{});
    constexpr int least = LoadsStep<Isa> ? 1 : Isa::a_steps;
    if constexpr (unrolled > least)
      for (; steps > 0; steps -= least) advance(Turn<least, false>{});
  }

  if constexpr (phases > 1)
    unroll<groups * panels, vectors, phases - 1>([&](int i, int v, int h) NARROW_LAMBDA {
      auto& sum = acc[0][i / panels][i % panels][v];
      sum = Isa::add(sum, acc[h + 1][i / panels][i % panels][v]);
    });

  // Copies, because for all the compiler knows a store to C could change the arguments.
  const ptrdiff_t c_stride = args.c_stride, init_stride = args.init_stride;
  const int32_t* const init = args.init;
  int32_t* c = args.c;
  const int cols = args.cols;
  const bool whole = cols == panels * nr;
  const int32_t* of_row[rows];  // as above
  unroll<rows>([&](int r) NARROW_LAMBDA {
    of_row[r] = indirect ? static_cast<const WindowRow*>(args.a)[r].init + args.first_column : init + r * init_stride;
  });
  if constexpr (requires { Isa::at_least(acc[0][0][0][0], init); }) {
    static_assert(vectors == 1 && row_group == 1 && nr % 8 == 0);
    const uint64_t turned = args.turned;
    char* bits = reinterpret_cast<char*>(c);
    unroll<rows>([&](int r) NARROW_LAMBDA {
      uint64_t word = turned;
      unroll<panels>([&](int p) NARROW_LAMBDA {
        word ^= static_cast<uint64_t>(Isa::at_least(acc[0][r][p][0], (indirect ? of_row[r] : init) + p * nr)) << p * nr;
      });
      memcpy(bits + r * c_stride, &word, panels * nr / 8);
    });
    return;
  }
  if constexpr (reals) {
    const Reals by = *args.reals;
    if constexpr (StoresBytes<Isa>) {
      if (by.bytes) {
        char* const bytes = reinterpret_cast<char*>(c);
        const typename Isa::template ToBytes<panels> to_bytes(by, cols);
        unroll<rows>([&](int r) NARROW_LAMBDA {
          typename Isa::Acc sum[panels];
          unroll<panels>([&](int p)
                             NARROW_LAMBDA { sum[p] = Isa::finish(acc[0][r][p][0], (indirect ? of_row[r] : init) + p * nr); });
          to_bytes(sum, bytes + r * c_stride);
        });
        return;
      }
    }
    unroll<panels, nr / Isa::lanes>([&](int p, int v) NARROW_LAMBDA {
      const int first = p * nr + v * Isa::lanes;
      const typename Isa::ToReal to_real(by.scale + first, by.bias + first);
      unroll<rows>([&](int r) NARROW_LAMBDA {
        const auto sum =
            Isa::finish(sums_of<Isa>(acc[0][r / row_group][p], r % row_group, v), (indirect ? of_row[r] : init) + first);
        store_columns<Isa>(c + r * c_stride + first, to_real(sum, by.row_scale[r * by.row_scale_step]), p < panels - 1 || whole,
                           cols - first);
      });
    });
    return;
  }
  auto write = [&](auto add) NARROW_LAMBDA {
    unroll<rows, panels, nr / Isa::lanes>([&](int r, int p, int v) NARROW_LAMBDA {
      const int first = p * nr + v * Isa::lanes;
      if (r > 0 && first == 0) c += c_stride;
      const auto sum = sums_of<Isa>(acc[0][r / row_group][p], r % row_group, v);
      if constexpr (add)
        store_columns<Isa>(c + first, Isa::finish(sum, of_row[r] + first), p < panels - 1 || whole, cols - first);
      else
        store_columns<Isa>(c + first, sum, p < panels - 1 || whole, cols - first);
    });
  };
  if (indirect || init)
    write(std::true_type{});
  else if constexpr (requires { Isa::store(c, acc[0][0][0][0]); })  // others always have initial sums
    write(std::false_type{});
}

/// What tiles of so many rows are made of: Isa or, for few rows, Isa::Few if there is such a thing.
template <class Isa, int rows>
struct ForRows {
  using T = Isa;
};
template <class Isa, int rows>
requires(rows <= Isa::Few::most_rows) struct ForRows<Isa, rows> {
  using T = typename Isa::Few;
};

/// See Kernel.
template <class Isa>
constexpr int stream_rows() {
  if constexpr (requires { typename Isa::Few; }) return Isa::Few::stream_rows;
  return 0;
}

/// Whether tiles of so many rows, of at most `most`, occur: where there are from_rows at least and they are cut as evenly as
/// can be, low tiles do not.
template <class Isa>
constexpr bool occurs(int rows, int most) {
  if (rows > most) return false;
  if constexpr (requires { Isa::from_rows; }) {
    for (int m = Isa::from_rows; m < Isa::from_rows + max_tile_rows; ++m)
      if (m / ((m + most - 1) / most) <= rows) return true;
    return false;
  } else {
    return true;
  }
}

/// run[panels - 1][rows - 1] for every tile that the geometry allows and that occurs; null beyond.
template <class Isa, bool indirect = false, bool reals = false>
struct Tiles {
  TileFn run[max_tile_panels][max_tile_rows] = {};

  constexpr Tiles() {
    unroll<max_tile_panels, max_tile_rows>([&](auto p, auto r) {
      if constexpr (occurs<Isa>(r + 1, Isa::geometry.max_rows[p]))
        run[p][r] = tile<typename ForRows<Isa, r + 1>::T, r + 1, p + 1, indirect, reals>;
    });
  }
};
template <class Isa, bool indirect = false, bool reals = false>
constexpr Tiles<Isa, indirect, reals> tiles;

/// Those that write reals, if the Isa can.
template <class Isa, bool indirect = false>
constexpr TileTable tiles_to_reals() {
  if constexpr (requires { typename Isa::ToReal; }) return tiles<Isa, indirect, true>.run;
  return nullptr;
}

}  // namespace
}  // namespace narrow
