// B[k,n] -> panels (the picture stands in src/kernel.h), and the column sums that zero points of A need.
//
// Whole steps of whole panels are moved by words: from [n,k] the kr values of a column lie side by side already; from [k,n] kr
// rows are interleaved by rounds of zips, each of which doubles the number of values of one column that lie together:
//
//   k0: a b c d ..    zip k0 k1: a0 a1 b0 b1 ..    zip again: a0 a1 a2 a3 b0 b1 b2 b3 ..
//   k1: a b c d ..    zip k2 k3: a2 a3 b2 b3 ..
//
// The column sums are the product of the panel with a row of ones, so the tier's own dot product computes them.
#pragma once

#include <string.h>

#include "kernels/common/tile.h"

namespace narrow {
namespace {

template <int bytes>
struct ByteVector {
  typedef int8_t T __attribute__((vector_size(bytes)));
};

/// Interleaves units of `unit` bytes of two vectors of `width` bytes: half 0 or half 1 of the result.
template <int width, int unit, int half>
NARROW_INLINE typename ByteVector<width>::T zip(typename ByteVector<width>::T a, typename ByteVector<width>::T b) {
  return [&]<int... I>(std::integer_sequence<int, I...>) NARROW_LAMBDA {
    // Byte I of the result: unit I / unit of the pairwise sequence a0 b0 a1 b1 ..., starting in the middle for half 1.
    return __builtin_shufflevector(a, b,
                                   ((I / unit + half * (width / unit)) / 2 * unit + I % unit + (I / unit % 2) * width)...);
  }
  (std::make_integer_sequence<int, width>{});
}

/// One k-step of `width` columns from [k,n]: kr rows, `stride` apart, to kr vectors of interleaved values.
template <int kr, int width>
NARROW_INLINE void interleave(const int8_t* src, ptrdiff_t stride, int8_t* dst) {
  using V = typename ByteVector<width>::T;
  V rows[kr];
  unroll<kr>([&](auto i) NARROW_LAMBDA { memcpy(&rows[i], src + i * stride, width); });
  // After a round of zips, row j * 2 + h holds half h of the pair (2j, 2j + 1), that is: of `spread` times fewer columns.
  auto round = [&](auto spread) NARROW_LAMBDA {
    if constexpr (spread < kr) {
      V next[kr];
      unroll<kr / 2>([&](auto p) NARROW_LAMBDA {
        constexpr int block = p / spread,
                      within = p % spread;  // blocks of 2 * spread rows hold `spread` rows' columns in order
        const V a = rows[block * 2 * spread + within], b = rows[block * 2 * spread + spread + within];
        next[block * 2 * spread + 2 * within] = zip<width, spread, 0>(a, b);
        next[block * 2 * spread + 2 * within + 1] = zip<width, spread, 1>(a, b);
      });
      unroll<kr>([&](auto i) NARROW_LAMBDA { rows[i] = next[i]; });
    }
  };
  round(std::integral_constant<int, 1>{});
  round(std::integral_constant<int, 2>{});
  round(std::integral_constant<int, 4>{});
  unroll<kr>([&](auto i) NARROW_LAMBDA { memcpy(dst + i * width, &rows[i], width); });
}

/// Moves the whole steps of a whole panel.
template <int nr, int kr>
void pack_steps(Order order, const int8_t* src, ptrdiff_t stride, ptrdiff_t steps, int8_t* dst) {
  constexpr int width = nr % 16 == 0 ? 16 : nr % 8 == 0 ? 8 : 0;
  for (ptrdiff_t s = 0; s < steps; ++s, dst += nr * kr) {
    if (order == Order::nk) {
      unroll<nr>([&](auto c) NARROW_LAMBDA { memcpy(dst + c * kr, src + c * stride + s * kr, kr); });
    } else if constexpr (width != 0 && kr > 1) {
      for (int c = 0; c < nr; c += width) interleave<kr, width>(src + s * kr * stride + c, stride, dst + c * kr);
    } else {
      for (int c = 0; c < nr; ++c)
        for (int i = 0; i < kr; ++i) dst[c * kr + i] = src[(s * kr + i) * stride + c];
    }
  }
}

/// [cols] sums over k, as the product with a row (or group of rows) of ones.
template <class Isa>
void sum_columns(const int8_t* panel, ptrdiff_t k_padded, int cols, int32_t* sum) {
  constexpr Geometry g = Isa::geometry;
  constexpr int bytes = 1024;
  alignas(64) char ones[bytes];
  if constexpr (g.a == Type::s16) {
    const int16_t one = 1;
    for (int i = 0; i < bytes; i += 2) memcpy(ones + i, &one, 2);
  } else {
    memset(ones, 1, bytes);
  }
  int32_t total[g.nr] = {};
  constexpr ptrdiff_t most = bytes / Isa::a_bytes / (g.k_unit / g.kr) * (g.k_unit / g.kr);  // steps of one call
  for (ptrdiff_t left = k_padded / g.kr; left > 0; left -= most) {
    const ptrdiff_t steps = left < most ? left : most;
    tile<Isa, 1, 1>({ones, 0, panel, 0, steps, total, total, 0, g.nr});
    panel += steps * g.nr * g.kr;
  }
  memcpy(sum, total, sizeof(int32_t) * cols);
}

/// One panel of `cols` <= nr columns. Columns beyond and k beyond are zero.
template <class Isa>
void pack_panel(const PackBArgs& args, const int8_t* src, int cols, int8_t* dst) {
  constexpr int nr = Isa::geometry.nr, kr = Isa::geometry.kr;
  const ptrdiff_t k_stride = args.order == Order::nk ? 1 : args.stride;
  const ptrdiff_t n_stride = args.order == Order::nk ? args.stride : 1;
  const ptrdiff_t whole = cols == nr ? args.k / kr : 0;
  pack_steps<nr, kr>(args.order, src, args.stride, whole, dst);
  // The edges: a narrow last panel, a short last step, the padding.
  for (ptrdiff_t s = whole; s < args.k_padded / kr; ++s)
    for (int c = 0; c < nr; ++c)
      for (int i = 0; i < kr; ++i) {
        const ptrdiff_t k = s * kr + i;
        dst[(s * nr + c) * kr + i] = k < args.k && c < cols ? src[k * k_stride + c * n_stride] : int8_t{0};
      }
}

template <class Isa>
void pack_b(const PackBArgs& args) {
  constexpr int nr = Isa::geometry.nr;
  for (int c = 0; c < args.cols; c += nr) {
    const int cols = args.cols - c < nr ? args.cols - c : nr;
    int8_t* dst = static_cast<int8_t*>(args.dst) + c / nr * args.dst_stride;
    pack_panel<Isa>(args, static_cast<const int8_t*>(args.src) + c * (args.order == Order::nk ? args.stride : 1), cols, dst);
    sum_columns<Isa>(dst, args.k_padded, cols, args.column_sum + c);
  }
}

}  // namespace
}  // namespace narrow
