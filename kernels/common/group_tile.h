// The loop of the kernels for weights with groups of k, for all tiers: one template over an instruction set `Isa`, its tier's
// vectors `S` (see simd.h), and the number of rows. A panel has all registers to itself; a tile of several takes one after the
// other, so that what comes before and after it is done once for all of them.
//
//   for each group     acc[row][vector] = zero point's share        a broadcast of what pack_a has left with the row
//     for each k-step    acc += a[row] * b[vector]                  B as unsigned, straight from the nibbles
//     sum[row][vector] = fma(float(acc), scale[vector], sum[row][vector])
//
// The sums of a group are exact integers, and the groups are folded in ascending order, so no tile shape changes a bit.
//
// Weights of 4 bits are packed in pairs of k-steps: the low nibbles of a byte vector are one step, the high ones the next.
// Taking them apart costs a shift and two ands for two steps of all rows, on ports that the dots leave free; so B is never
// unpacked in memory, neither for one row nor for a thousand. Nibbles are read as unsigned, 0..15, because then nothing but the
// and is needed; that a zero point z (8 for signed weights) is taken off every weight, adds -z * (sum of a over the group) to a
// sum, which is where its accumulator totals.
//
// For a single row that reads B at the pace of the caches, even these are many (24 beside 16 dots, and ports are few on Zen 4).
// Its two phases of k-steps are the two halves of the bytes, so the sums of the high nibbles may be 16 times too large until
// the end of the group: that saves their shift (Isa::high_times_16; from the L2 cache a tenth).
//
// What is asked for ahead of time is what TileArgs::next says, in step with what is read, scales and all. A single row, which
// reads B at the pace of the caches, asks only where B comes from memory, and the processor is not faster left alone even then
// (Cpu::asks): from the L3 cache to ask costs a fifth on Zen 4.
//
// Isa provides (besides geometry):
//   Acc, A, B                  registers: sums for S::width columns, a broadcast of kr values of A, as many columns of B
//   unit_steps, unit_bytes     k-steps that are packed together, and their bytes in a panel: nr * kr
//   in_flight                  independent accumulators wanted
//   narrow_steps               0, or after how many k-steps (in every accumulator) Acc, of 16 bits, must go into int32
//   load_a(p), zero(), to_int(Acc) -> S::I, and from(S::I) where narrow_steps is 0
//   load_b(p) -> Packed        the steps of a unit for S::width columns
//   load_b_in_order(p)         may be there, for a single row: load_b, after those before it (up to 14 % faster from L3)
//   step_of<step>(packed)      one of them
//   high_times_16(packed)      may be there, where unit_steps is 2: step_of<1>, but each nibble times 16
//   sixteenth(Acc) -> S::I     with it: to_int(acc) / 16, of multiples of 16
//   dot(acc&, b, a)
//   dot_in_order(acc&, b, a)   may be there, for several rows: dot, after those before it
//   unasked_rows, l2_rows      may be there: go to Kernel
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/common/ask.h"
#include "kernels/common/float16.h"
#include "kernels/common/tile.h"

namespace narrow {
namespace {

template <class S, int vectors>
NARROW_INLINE void load_scales(Type type, const char* p, typename S::F (&scale)[vectors]) {
  auto load = [&](auto* from)
                  NARROW_LAMBDA { unroll<vectors>([&](int v) NARROW_LAMBDA { scale[v] = S::load(from + v * S::width); }); };
  if (type == Type::f32)
    load(reinterpret_cast<const float*>(p));
  else if (type == Type::f16)
    load(reinterpret_cast<const F16*>(p));
  else
    load(reinterpret_cast<const Bf16*>(p));
}

/// Sums of high nibbles times 16 stay in int32: of half the group, 15 * 128 * 16 each.
inline constexpr ptrdiff_t max_k_times_16 = INT32_MAX / (15 * 128 * 16 / 2);

template <class Isa>
concept HighTimes16 = requires(typename Isa::Packed packed) { Isa::high_times_16(packed); };

// Functions of their own, as clang 14 looks at both branches within a lambda.
template <class Isa, bool in_order>
NARROW_INLINE typename Isa::Packed load_packed(const char* p) {
  if constexpr (in_order && requires { Isa::load_b_in_order(p); })
    return Isa::load_b_in_order(p);
  else
    return Isa::load_b(p);
}

template <class Isa, bool in_order>
NARROW_INLINE void add_dot(typename Isa::Acc& acc, typename Isa::B b, typename Isa::A a) {
  if constexpr (in_order && requires { Isa::dot_in_order(acc, b, a); })
    Isa::dot_in_order(acc, b, a);
  else
    Isa::dot(acc, b, a);
}

template <class Isa, int step, bool times_16>
NARROW_INLINE typename Isa::B take_step(typename Isa::Packed packed) {
  if constexpr (times_16 && step == 1)
    return Isa::high_times_16(packed);
  else
    return Isa::template step_of<step>(packed);
}
template <class Isa, class S, bool times_16>
NARROW_INLINE typename S::I take_sum(typename Isa::Acc sum) {
  if constexpr (times_16)
    return Isa::sixteenth(sum);
  else
    return Isa::to_int(sum);
}

/// What tiles ask for ahead of time: nothing, or B, for one of the caches. Other tiles for each, as a branch for each request
/// costs up to 2 % of products with groups of 32.
enum class Asks { no, for_l1, for_l2 };

/// One panel of a tile, at `b`, from the column `column` of it on. Where it asks for nothing, groups have no more than
/// max_k_times_16. `plain`: groups have no zero points of their own, nor a scale for each row; what these would take,
/// even if they are never there, costs g++ 12 registers and copies (1 to 9 % of products with groups of 32).
template <class Isa, class S, int rows, Asks kind_of_asking, bool plain>
NARROW_INLINE void group_panel(const TileArgs& args, const char* b, int column) {
  using F = typename S::F;
  using I = typename S::I;
  constexpr int nr = Isa::geometry.nr, vectors = nr / S::width;
  constexpr bool asks = kind_of_asking != Asks::no, to_l2 = kind_of_asking == Asks::for_l2;
  constexpr int phases = rows * vectors < Isa::in_flight ? 2 : 1;  // of k-steps; groups overlap each other besides
  constexpr bool times_16 = !asks && phases == Isa::unit_steps && HighTimes16<Isa>;
  constexpr int bytes_of_k = Isa::unit_bytes / (Isa::geometry.kr * Isa::unit_steps);  // of one k of a panel
  // Units of one turn of the main loop: long enough to be worth a branch, short enough for the shortest usual group.
  constexpr int turn = (Isa::narrow_steps ? Isa::narrow_steps : rows == 1 ? 8 : 4) / Isa::unit_steps;
  constexpr auto every = std::integral_constant<int, 0>{};
  static_assert(Isa::unit_bytes == nr * Isa::geometry.kr);

  const Groups groups = *args.groups;
  const ptrdiff_t a_stride = args.a_stride;
  const int scale_bytes = groups.scale == Type::f32 ? 4 : 2;
  const ZeroPoints kind = plain ? ZeroPoints::constant : groups.zero_points;
  const bool row_scales = !plain && groups.row_scales;
  const ptrdiff_t zero_point_bytes = nr * (kind == ZeroPoints::integers ? 2 : kind == ZeroPoints::floats ? 4 : 0);
  const char* next = static_cast<const char*>(args.next) + (b - static_cast<const char*>(args.b));
  const ptrdiff_t next_step = args.next_step;
  const char* a = static_cast<const char*>(args.a);
  const char* a_sums = a + groups.a_sums;
  const char* a_scales = a + groups.a_scales;

  F sum[rows][vectors];
  if (args.init) {
    const int32_t* const init = args.init + column;
    const ptrdiff_t init_stride = args.init_stride;
    unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA {
      sum[r][v] = S::load(reinterpret_cast<const float*>(init + r * init_stride + v * S::width));
    });
  } else {
    unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { sum[r][v] = S::broadcast(0.0f); });
  }

  for (ptrdiff_t left = groups.k_padded; left > 0; left -= groups.size, a_sums += 4, a_scales += 4) {
    const ptrdiff_t k = left < groups.size ? left : groups.size;
    const char* const scales = b + k * bytes_of_k;
    const char* const zero_points = scales + nr * scale_bytes;

    auto a_sum = [&](int r) NARROW_LAMBDA {
      int32_t value;
      memcpy(&value, a_sums + r * a_stride, sizeof value);
      return S::broadcast(value);
    };
    auto row_scale = [&](int r) NARROW_LAMBDA {
      float value;
      memcpy(&value, a_scales + r * a_stride, sizeof value);
      return S::broadcast(value);
    };
    I total[rows][vectors];
    auto begin = [&]() NARROW_LAMBDA {  // with what zero points add
      unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { total[r][v] = a_sum(r); });
      if (kind == ZeroPoints::integers) {
        unroll<vectors>([&](int v) NARROW_LAMBDA {
          const I zero_point = S::load(reinterpret_cast<const int16_t*>(zero_points) + v * S::width);
          unroll<rows>([&](int r) NARROW_LAMBDA { total[r][v] = S::mul(total[r][v], zero_point); });
        });
      } else if (kind == ZeroPoints::floats) {
        unroll<vectors>([&](int v) NARROW_LAMBDA {
          const F zero_point = S::load(reinterpret_cast<const float*>(zero_points) + v * S::width);
          unroll<rows>([&](int r) NARROW_LAMBDA {
            F by = S::to_float(total[r][v]);
            if (row_scales) by = by * row_scale(r);
            sum[r][v] = S::fma(by, zero_point, sum[r][v]);
            total[r][v] = S::mul(total[r][v], S::broadcast(groups.b_zero));
          });
        });
      }
    };

    typename Isa::Acc acc[phases][rows][vectors];
    auto clear = [&](auto first) NARROW_LAMBDA {
      unroll<phases - first, rows, vectors>([&](int h, int r, int v) NARROW_LAMBDA { acc[first + h][r][v] = Isa::zero(); });
    };
    auto settle = [&](auto first) NARROW_LAMBDA {  // accumulators from `first` on -> total
      unroll<rows, vectors, phases - first>([&](int r, int v, auto h) NARROW_LAMBDA {
        total[r][v] = S::add(total[r][v], take_sum<Isa, S, (times_16 && first + h == 1)>(acc[first + h][r][v]));
      });
    };

    auto advance = [&](auto count) NARROW_LAMBDA {
      typename Isa::Packed packed[vectors];
      unroll<count * Isa::unit_steps>([&](auto step) NARROW_LAMBDA {
        constexpr int unit = step / Isa::unit_steps, within = step % Isa::unit_steps;
        if constexpr (within == 0) {
          for (int line = 0; asks && line < Isa::unit_bytes; line += 64) ask(next + line, to_l2);
          next += next_step;
          asm("" : "+r"(next));  // no second pointer: g++ would move it in and out of a vector register, by a port of the dots
          unroll<vectors>([&](int v) NARROW_LAMBDA {
            packed[v] = load_packed<Isa, rows == 1>(b + unit * Isa::unit_bytes + v * (Isa::unit_bytes / vectors));
          });
        }
        typename Isa::B bv[vectors];
        unroll<vectors>([&](int v) NARROW_LAMBDA { bv[v] = take_step<Isa, within, times_16>(packed[v]); });
        typename Isa::A av;
        unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA {
          if (v == 0) av = Isa::load_a(a + r * a_stride + step * Isa::geometry.kr);
          add_dot<Isa, (rows > 1)>(acc[step % phases][r][v], bv[v], av);
        });
      });
      a += count * Isa::unit_steps * Isa::geometry.kr;
      b += count * Isa::unit_bytes;
    };
    if constexpr (Isa::narrow_steps > 0) {
      auto block = [&]() NARROW_LAMBDA {
        clear(every);
        if (scales - b >= turn * Isa::unit_bytes)
          advance(std::integral_constant<int, turn>{});
        else
          while (b != scales) advance(std::integral_constant<int, 1>{});
      };
      block();
      begin();  // not before: registers are short
      settle(every);
      while (b != scales) {
        block();
        settle(every);
      }
    } else {
      begin();
      unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { acc[0][r][v] = Isa::from(total[r][v]); });
      clear(std::integral_constant<int, 1>{});
      while (scales - b >= turn * Isa::unit_bytes) advance(std::integral_constant<int, turn>{});
      if constexpr (turn > 1)
        while (b != scales) advance(std::integral_constant<int, 1>{});
      unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { total[r][v] = Isa::to_int(acc[0][r][v]); });
      settle(std::integral_constant<int, 1>{});
    }

    const char* const after = zero_points + zero_point_bytes;
    for (ptrdiff_t line = 0; asks && line < after - scales; line += 64) ask(next + line, to_l2);
    next += (after - scales) * next_step / Isa::unit_bytes;
    F scale[vectors];
    load_scales<S>(groups.scale, scales, scale);
    F term[rows][vectors];  // all of them before the first is added: on Zen 4 the multiplications then pair up better
    unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { term[r][v] = S::to_float(total[r][v]); });
    unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA {
      F by = scale[v];
      if (row_scales) by = by * row_scale(r);
      sum[r][v] = S::fma(term[r][v], by, sum[r][v]);
    });
    b = after;
  }

  const ptrdiff_t c_stride = args.c_stride;
  const int cols = args.cols - column;
  float* const c = reinterpret_cast<float*>(args.c) + column;
  if (args.reals) {
    const Reals reals = *args.reals;
    unroll<rows>([&](int r) NARROW_LAMBDA {
      const F by = S::broadcast(reals.row_scale[r * reals.row_scale_step]);
      unroll<vectors>([&](int v) NARROW_LAMBDA {
        const F scale = S::load(reals.scale + column + v * S::width), bias = S::load(reals.bias + column + v * S::width);
        sum[r][v] = S::fma(sum[r][v] * by, scale, bias);
      });
    });
  }
  // With `int`, g++ 12 spills more in the loop above: on AVX-VNNI a twentieth more instructions.
  unroll<rows, vectors>([&](auto r, auto v) NARROW_LAMBDA {
    float* const to = c + r * c_stride + v * S::width;
    const int count = cols - v * S::width;
    if (count >= S::width)
      S::store(to, sum[r][v]);
    else if (count > 0)
      S::store(to, sum[r][v], count);
  });
}

template <class Isa, class S, int rows>
void group_tile(const TileArgs& args) {
  constexpr int nr = Isa::geometry.nr;
  const int panels = (args.cols + nr - 1) / nr;
  auto run = [&](auto asks, auto plain) NARROW_LAMBDA {
    for (int p = 0; p < panels; ++p)
      group_panel<Isa, S, rows, asks, plain>(args, static_cast<const char*>(args.b) + p * args.b_stride, p * nr);
  };
  auto run_kind = [&](auto asks) NARROW_LAMBDA {
    constexpr bool knows_plain = S::width > 1;  // without vectors there is nothing to gain
    if (knows_plain && !args.groups->row_scales && args.groups->zero_points == ZeroPoints::constant)
      run(asks, std::bool_constant<knows_plain>{});
    else
      run(asks, std::false_type{});
  };
  constexpr bool may_ask_for_l2 = rows > 2 && requires { Isa::l2_rows; };
  if (may_ask_for_l2 && args.to_l2) {
    if constexpr (may_ask_for_l2) run_kind(std::integral_constant<Asks, Asks::for_l2>{});
  } else if (rows > 1 || args.groups->one_row_asks || args.groups->size > max_k_times_16) {
    run_kind(std::integral_constant<Asks, Asks::for_l1>{});
  } else if constexpr (rows == 1) {
    run_kind(std::integral_constant<Asks, Asks::no>{});
  }
}

template <class Isa, class S>
struct GroupTiles {
  TileFn run[max_tile_panels][max_tile_rows] = {};

  constexpr GroupTiles() {
    unroll<max_tile_rows>([&](auto r) {
      if constexpr (r < Isa::geometry.max_rows[0])
        for (int p = 0; p < Isa::geometry.max_panels; ++p) run[p][r] = group_tile<Isa, S, r + 1>;
    });
  }
};

}  // namespace
}  // namespace narrow
