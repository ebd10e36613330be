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
// Weights of 4 bits are packed in pairs of columns: the low nibbles of a vector of bytes belong to the first half of a panel's
// columns, the high ones to the second, at the same k. Taking them apart costs a shift and two ands for a step of all rows, on
// ports that the dots leave free; so B is never unpacked in memory, neither for one row nor for a thousand. Nibbles are read as
// unsigned, 0..15, because then nothing but the and is needed; that a zero point z (8 for signed weights) is taken off every
// weight, adds -z * (sum of a over the group) to a sum, which is where its accumulator totals.
//
// For a single row that reads B at the pace of the caches, even these are many (24 beside 16 dots, and ports are few on Zen 4).
// But a byte is low + 16 * high, and both nibbles are multiplied by the same a. So the sum of a column of the first half may
// take the bytes as they are, and that of its partner the bytes without their low nibbles, which is one and: of two sums
//
//   mixed = sum of a * (low + 16 * high)    and    times_16 = sum of a * 16 * high
//
// are mixed - times_16 the one that was wanted and times_16 / 16 the other: two operations a group instead of two a step. The
// difference is exact modulo 2^32, whatever the sums are; the quotient, as long as 16 times the other sum is an int32.
//
// What is asked for ahead of time is what TileArgs::next says, in step with what is read, scales and all. A single row, which
// reads B at the pace of the caches, asks only where B comes from memory, and the processor is not faster left alone even then
// (Cpu::asks): from the L3 cache to ask costs a fifth on Zen 4.
//
// Isa provides (besides geometry):
//   Acc, A, B                  registers: sums for S::width columns, a broadcast of kr values of A, as many columns of B
//   halves                     vectors of weights in one of bytes: 2 of nibbles, else 1
//   in_flight                  independent accumulators wanted
//   narrow_steps               0, or after how many k-steps (in every accumulator) Acc, of 16 bits, must go into int32
//   load_a(p), zero(), to_int(Acc) -> S::I, and from(S::I) where narrow_steps is 0
//   load_b(p) -> Packed        a k-step of S::width columns; of nibbles, and of as many columns nr / 2 further
//   half_of<half>(packed)      those columns (0), or these (1)
//   high_times_16(packed)      may be there, where Packed is B and Acc holds int32: these, but each weight times 16
//   dot(acc&, b, a)
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

/// Up to so long groups may have mixed sums: no weight is further than 16 from its zero point (those of GPTQ are 1..16).
inline constexpr ptrdiff_t max_mixed_k = INT32_MAX / (16 * 16 * 128);

template <class Isa>
concept Mixes = requires(typename Isa::Packed packed) { Isa::high_times_16(packed); };

// Functions of their own, as clang 14 looks at both branches within a lambda.
template <class Isa, int half, bool mixed>
NARROW_INLINE typename Isa::B take_half(typename Isa::Packed packed) {
  if constexpr (!mixed)
    return Isa::template half_of<half>(packed);
  else if constexpr (half == 0)
    return packed;
  else
    return Isa::high_times_16(packed);
}

/// What tiles ask for ahead of time: nothing, or B, for one of the caches. Other tiles for each, as a branch for each request
/// costs up to 2 % of products with groups of 32.
enum class Asks { no, for_l1, for_l2 };

/// `panels` panels of a tile at once, the first of them at `b`, from the column `column` of it on. Where it asks for nothing,
/// groups have no more than max_mixed_k. `plain`: groups have no zero points of their own, nor a scale for each row; what these
/// would take, even if they are never there, costs g++ 12 registers and copies (1 to 9 % of products with groups of 32).
template <class Isa, class S, int rows, int panels, Asks kind_of_asking, bool plain>
NARROW_INLINE void group_panels(const TileArgs& args, const char* b, int column) {
  using F = typename S::F;
  using I = typename S::I;
  constexpr int nr = Isa::geometry.nr, of_panel = nr / S::width, vectors = panels * of_panel;
  constexpr bool asks = kind_of_asking != Asks::no, to_l2 = kind_of_asking == Asks::for_l2;
  constexpr int phases = rows * vectors < Isa::in_flight ? 2 : 1;  // of k-steps; groups overlap each other besides
  constexpr bool mixed = !asks && Mixes<Isa>;
  constexpr int halves = Isa::halves, loads = of_panel / halves;  // of a panel's k-step
  constexpr int bytes_of_k = nr / halves;                         // of one k of a panel
  constexpr int unit_bytes = nr * Isa::geometry.kr;               // of as many k-steps as there are halves
  // Units of one turn of the main loop: long enough to be worth a branch, short enough for the shortest usual group.
  constexpr int turn = (Isa::narrow_steps ? Isa::narrow_steps : 4) / halves;
  constexpr auto every = std::integral_constant<int, 0>{};

  const Groups groups = *args.groups;
  const ptrdiff_t a_stride = args.a_stride, b_stride = args.b_stride;
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
          const char* const of_this_panel = zero_points + v / of_panel * b_stride;
          const I zero_point = S::load(reinterpret_cast<const int16_t*>(of_this_panel) + v % of_panel * S::width);
          unroll<rows>([&](int r) NARROW_LAMBDA { total[r][v] = S::mul(total[r][v], zero_point); });
        });
      } else if (kind == ZeroPoints::floats) {
        unroll<vectors>([&](int v) NARROW_LAMBDA {
          const char* const of_this_panel = zero_points + v / of_panel * b_stride;
          const F zero_point = S::load(reinterpret_cast<const float*>(of_this_panel) + v % of_panel * S::width);
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
      unroll<rows, vectors, phases - first>(
          [&](int r, int v, int h) NARROW_LAMBDA { total[r][v] = S::add(total[r][v], Isa::to_int(acc[first + h][r][v])); });
    };

    auto mix = [&]() NARROW_LAMBDA {  // as unmix will have it
      unroll<rows, panels, loads>([&](int r, int p, int v) NARROW_LAMBDA {
        I &low = total[r][p * of_panel + v], &high = total[r][p * of_panel + loads + v];
        high = S::template shift_left<4>(high);
        low = S::add(low, high);
      });
    };
    auto unmix = [&]() NARROW_LAMBDA {
      unroll<rows, panels, loads>([&](int r, int p, int v) NARROW_LAMBDA {
        I &low = total[r][p * of_panel + v], &high = total[r][p * of_panel + loads + v];
        low = S::sub(low, high);
        high = S::template shift_right_signed<4>(high);
      });
    };
    auto advance = [&](auto count) NARROW_LAMBDA {
      unroll<count * halves>([&](auto step) NARROW_LAMBDA {
        if constexpr (step % halves == 0) {
          for (int line = 0; asks && line < unit_bytes; line += 64) ask(next + line, to_l2);
          next += next_step;
          asm("" : "+r"(next));  // no second pointer: g++ would move it in and out of a vector register, by a port of the dots
        }
        typename Isa::B bv[vectors];
        unroll<panels, loads>([&](int p, int v) NARROW_LAMBDA {
          const auto packed = Isa::load_b(b + p * b_stride + (step * loads + v) * (unit_bytes / of_panel));
          unroll<halves>([&](auto half)
                             NARROW_LAMBDA { bv[p * of_panel + half * loads + v] = take_half<Isa, half, mixed>(packed); });
        });
        typename Isa::A av;
        unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA {
          if (v == 0) av = Isa::load_a(a + r * a_stride + step * Isa::geometry.kr);
          Isa::dot(acc[step % phases][r][v], bv[v], av);
        });
      });
      a += count * halves * Isa::geometry.kr;
      b += count * unit_bytes;
    };
    if constexpr (Isa::narrow_steps > 0) {
      auto block = [&]() NARROW_LAMBDA {
        clear(every);
        if (scales - b >= turn * unit_bytes)
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
      if constexpr (mixed) mix();
      unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { acc[0][r][v] = Isa::from(total[r][v]); });
      clear(std::integral_constant<int, 1>{});
      while (scales - b >= turn * unit_bytes) advance(std::integral_constant<int, turn>{});
      if constexpr (turn > 1)
        while (b != scales) advance(std::integral_constant<int, 1>{});
      unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA { total[r][v] = Isa::to_int(acc[0][r][v]); });
      settle(std::integral_constant<int, 1>{});
      if constexpr (mixed) unmix();
    }

    const char* const after = zero_points + zero_point_bytes;
    for (ptrdiff_t line = 0; asks && line < after - scales; line += 64) ask(next + line, to_l2);
    next += (after - scales) * next_step / unit_bytes;
    F scale[panels][of_panel];
    for (int p = 0; p < panels; ++p) load_scales<S>(groups.scale, scales + p * b_stride, scale[p]);
    unroll<rows, vectors>([&](int r, int v) NARROW_LAMBDA {
      F by = scale[v / of_panel][v % of_panel];
      if (row_scales) by = by * row_scale(r);
      sum[r][v] = S::fma(S::to_float(total[r][v]), by, sum[r][v]);
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
    // A single row that asks for nothing: two panels abreast, as two streams are read faster than one (up to 8 % near the size
    // of the L3 cache), and there are more sums in flight.
    constexpr int abreast = rows == 1 && asks == Asks::no ? 2 : 1;
    int p = 0;
    if constexpr (abreast > 1)
      for (; panels - p >= abreast; p += abreast)
        group_panels<Isa, S, rows, abreast, asks, plain>(args, static_cast<const char*>(args.b) + p * args.b_stride, p * nr);
    for (; p < panels; ++p)
      group_panels<Isa, S, rows, 1, asks, plain>(args, static_cast<const char*>(args.b) + p * args.b_stride, p * nr);
  };
  auto run_kind = [&](auto asks) NARROW_LAMBDA {
    constexpr bool knows_plain = S::width > 1;  // without vectors there is nothing to gain
    if (knows_plain && !args.groups->row_scales && args.groups->zero_points == ZeroPoints::constant)
      run(asks, std::bool_constant<knows_plain>{});
    else
      run(asks, std::false_type{});
  };
  if constexpr (rows > 2 && requires { Isa::l2_rows; })
    if (args.to_l2) return run_kind(std::integral_constant<Asks, Asks::for_l2>{});
  if constexpr (rows == 1)
    if (!args.groups->one_row_asks && args.groups->size <= max_mixed_k)
      return run_kind(std::integral_constant<Asks, Asks::no>{});
  run_kind(std::integral_constant<Asks, Asks::for_l1>{});
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
