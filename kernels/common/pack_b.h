// B[k,n] -> panels (the picture stands in src/kernel.h), and the column sums that zero points of A need.
//
// Whole steps of whole panels are moved by interleaving rows in rounds of zips, each of which doubles the number of units that
// lie together. From [k,n], the units are bytes and the rows are the kr rows of a step:
//
//   k0: a b c d ..    zip k0 k1: a0 a1 b0 b1 ..    zip again: a0 a1 a2 a3 b0 b1 b2 b3 ..
//   k1: a b c d ..    zip k2 k3: a2 a3 b2 b3 ..
//
// From [n,k], a unit is the kr values of a column and a step, and the rows are 16 / kr columns: interleaving transposes them.
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

/// Interleaves `rows` rows of `width` bytes, `stride` apart, in units of `unit` bytes: vector v of the result, stored at
/// dst + v * dst_stride, holds the units v * (width / unit / rows) and following of all rows, those of one index together.
template <int rows, int width, int unit>
NARROW_INLINE void interleave(const int8_t* src, ptrdiff_t stride, int8_t* dst, ptrdiff_t dst_stride) {
  using V = typename ByteVector<width>::T;
  V row[rows];
  unroll<rows>([&](auto i) NARROW_LAMBDA { memcpy(&row[i], src + i * stride, width); });
  // Before the round `spread`, block j of `spread` vectors is rows j * spread and following, already interleaved.
  auto round = [&](auto spread) NARROW_LAMBDA {
    if constexpr (spread < rows) {
      V next[rows];
      unroll<rows / 2>([&](auto p) NARROW_LAMBDA {
        constexpr int block = p / spread, within = p % spread;
        const V a = row[block * 2 * spread + within], b = row[block * 2 * spread + spread + within];
        next[block * 2 * spread + 2 * within] = zip<width, spread * unit, 0>(a, b);
        next[block * 2 * spread + 2 * within + 1] = zip<width, spread * unit, 1>(a, b);
      });
      unroll<rows>([&](auto i) NARROW_LAMBDA { row[i] = next[i]; });
    }
  };
  round(std::integral_constant<int, 1>{});
  round(std::integral_constant<int, 2>{});
  round(std::integral_constant<int, 4>{});
  round(std::integral_constant<int, 8>{});
  unroll<rows>([&](auto i) NARROW_LAMBDA { memcpy(dst + i * dst_stride, &row[i], width); });
}

/// Moves `steps` whole steps of `panels` whole panels. From [k,n], panels side by side are moved together, because their
/// values share cache lines.
template <int nr, int kr>
void pack_steps(const PackBArgs& args, ptrdiff_t steps, int panels) {
  constexpr int step_bytes = nr * kr;
  constexpr int line = 16;
  const int8_t* src = static_cast<const int8_t*>(args.src);
  int8_t* dst = static_cast<int8_t*>(args.dst);
  if (args.order == Order::kn) {
    constexpr int width = nr % 16 == 0 ? 16 : 8;
    constexpr ptrdiff_t block = 8;  // steps: long enough pieces of each panel, few enough rows (a page each, often) in turn
    for (ptrdiff_t first = 0; first < steps; first += block)
      for (int p = 0; p < panels; ++p)
        for (ptrdiff_t s = first; s < steps && s < first + block; ++s) {
          const int8_t* from = src + s * kr * args.stride + p * nr;
          int8_t* to = dst + p * args.dst_stride + s * step_bytes;
          if constexpr (nr % 8 == 0 && kr > 1) {
            for (int c = 0; c < nr; c += width) interleave<kr, width, 1>(from + c, args.stride, to + c * kr, width);
          } else {
            for (int c = 0; c < nr; ++c)
              for (int i = 0; i < kr; ++i) to[c * kr + i] = from[i * args.stride + c];
          }
        }
    return;
  }
  for (int p = 0; p < panels; ++p) {
    const int8_t* from = src + p * nr * args.stride;
    int8_t* to = dst + p * args.dst_stride;
    ptrdiff_t s = 0;
    if constexpr (line % kr == 0 && nr % (line / kr) == 0) {
      constexpr int together = line / kr;  // columns, and steps
      for (; s + together <= steps; s += together)
        unroll<nr / together>([&](auto c) NARROW_LAMBDA {
          interleave<together, line, kr>(from + c * together * args.stride + s * kr, args.stride,
                                         to + s * step_bytes + c * line, step_bytes);
        });
    }
    for (; s < steps; ++s)
      unroll<nr>([&](auto c) NARROW_LAMBDA { memcpy(to + s * step_bytes + c * kr, from + c * args.stride + s * kr, kr); });
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
    tile<Isa, 1, 1>({ones, 0, panel, 0, panel, 0, steps, total, 0, total, 0, g.nr});
    panel += steps * g.nr * g.kr;
  }
  memcpy(sum, total, sizeof(int32_t) * cols);
}

/// Panels of columns of bytes.
template <int nr, int kr>
void pack_panels(const PackBArgs& args) {
  const ptrdiff_t k_stride = args.order == Order::nk ? 1 : args.stride;
  const ptrdiff_t n_stride = args.order == Order::nk ? args.stride : 1;
  const ptrdiff_t steps = args.k_padded / kr, whole_steps = args.k / kr;
  const int whole_panels = args.cols / nr;
  pack_steps<nr, kr>(args, whole_steps, whole_panels);

  for (int first = 0; first < args.cols; first += nr) {
    const int cols = args.cols - first < nr ? args.cols - first : nr;
    const int8_t* src = static_cast<const int8_t*>(args.src) + first * n_stride;
    int8_t* dst = static_cast<int8_t*>(args.dst) + first / nr * args.dst_stride;
    // The edges: a narrow last panel, a short last step, and the padding, which is zero.
    for (ptrdiff_t s = cols == nr ? whole_steps : 0; s < steps; ++s)
      for (int c = 0; c < nr; ++c)
        for (int i = 0; i < kr; ++i) {
          const ptrdiff_t k = s * kr + i;
          dst[(s * nr + c) * kr + i] = k < args.k && c < cols ? src[k * k_stride + c * n_stride] : int8_t{0};
        }
  }
}

template <class Isa>
void pack_b(const PackBArgs& args) {
  constexpr int nr = Isa::geometry.nr;
  pack_panels<nr, Isa::geometry.kr>(args);
  for (int first = 0; first < args.cols; first += nr)
    sum_columns<Isa>(static_cast<const int8_t*>(args.dst) + first / nr * args.dst_stride, args.k_padded,
                     args.cols - first < nr ? args.cols - first : nr, args.column_sum + first);
}

}  // namespace
}  // namespace narrow
