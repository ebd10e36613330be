// B[k,n] -> panels (the picture stands in src/kernel.h), and the column sums that zero points of A need.
//
// Whole steps of whole panels are moved by interleaving rows in rounds of zips, each of which doubles the number of units that
// lie together:
//
//   row 0: a b c d ..    zip 0 1: a0 a1 b0 b1 ..    zip again: a0 a1 a2 a3 b0 b1 b2 b3 ..
//   row 1: a b c d ..    zip 2 3: a2 a3 b2 b3 ..
//
// From [n,k], a unit is the kr values of a column and a step, and the rows are as many columns as there are units in a
// register: interleaving transposes them. From [k,n], the units are bytes and the rows are the kr rows of a step, of several
// panels side by side. Either way a register's width of each row is read at once, because rows are often a multiple of 4096
// bytes apart, and then share one set of the L1 cache.
//
// Panels of more bytes than caches hold are written around them, a line at a time: a store that goes through the caches reads
// the line first, and that is half of the time it takes to pack from [k,n]. Steps of half a line are then packed in pairs.
//
// The column sums are the product of the panel with a row of ones, so the tier's own dot product computes them.
#pragma once

#include <string.h>

#include "kernels/common/tile.h"

namespace narrow {
namespace {

/// Vectors of `width` bytes whose elements are units of `unit` bytes, or parts of them.
template <int width, int unit>
struct UnitVector {
  typedef int64_t T __attribute__((vector_size(width)));
};
template <int width>
struct UnitVector<width, 1> {
  typedef int8_t T __attribute__((vector_size(width)));
};
template <int width>
struct UnitVector<width, 2> {
  typedef int16_t T __attribute__((vector_size(width)));
};
template <int width>
struct UnitVector<width, 4> {
  typedef int32_t T __attribute__((vector_size(width)));
};

/// Interleaves units of `unit` bytes of two vectors of `width` bytes, in each piece of `lane` bytes: its first halves (half 0)
/// or its second halves (half 1).
template <int width, int lane, int unit, int half, class V>
NARROW_INLINE V zip(V a, V b) {
  using U = typename UnitVector<width, unit>::T;
  constexpr int elements = sizeof(U) / sizeof(U{}[0]), per_unit = unit * elements / width, per_lane = lane * elements / width;
  // Element i of the result comes from the sequence a0 b0 a1 b1 ... of its lane.
  constexpr auto source = [](int i) {
    const int in_sequence = i % per_lane / per_unit + half * (per_lane / per_unit);
    return i / per_lane * per_lane + in_sequence / 2 * per_unit + i % per_unit + in_sequence % 2 * elements;
  };
  return [&]<int... I>(std::integer_sequence<int, I...>) NARROW_LAMBDA {
    return (V)__builtin_shufflevector((U)a, (U)b, source(I)...);
  }
  (std::make_integer_sequence<int, elements>{});
}

template <int width>
using Bytes = typename UnitVector<width, 1>::T;

/// Interleaves units of `unit` bytes of the rows, lane by lane; within a lane, vector v of the result holds the units
/// v * (lane / unit / rows) and following of all rows, those of one index together.
template <int lane, int unit, int width, int rows>
NARROW_INLINE void interleave(Bytes<width> (&row)[rows]) {
  // Before the round `spread`, block j of `spread` vectors is rows j * spread and following, already interleaved.
  auto round = [&](auto spread) NARROW_LAMBDA {
    if constexpr (spread < rows) {
      Bytes<width> next[rows];
      unroll<rows / 2>([&](int p) NARROW_LAMBDA {
        const int block = p / spread, within = p % spread;
        const Bytes<width> a = row[block * 2 * spread + within], b = row[block * 2 * spread + spread + within];
        next[block * 2 * spread + 2 * within] = zip<width, lane, spread * unit, 0>(a, b);
        next[block * 2 * spread + 2 * within + 1] = zip<width, lane, spread * unit, 1>(a, b);
      });
      unroll<rows>([&](int i) NARROW_LAMBDA { row[i] = next[i]; });
    }
  };
  round(std::integral_constant<int, 1>{});
  round(std::integral_constant<int, 2>{});
  round(std::integral_constant<int, 4>{});
  round(std::integral_constant<int, 8>{});
}

/// Stores the `bytes` bytes at `from`: a whole register, or one that is a half of it.
template <bool around_caches, int bytes>
NARROW_INLINE void store_packed(int8_t* to, const int8_t* from) {
  Bytes<bytes> v;
  memcpy(&v, from, bytes);
  if constexpr (around_caches)
    asm volatile("vmovntdq %1, %0" : "=m"(*reinterpret_cast<Bytes<bytes>*>(to)) : "v"(v));
  else
    memcpy(to, &v, bytes);
}

/// `steps` steps of as many panels, side by side from [k,n], as kr rows of `width` bytes are. Bytes are interleaved in lanes of
/// 16, as wide registers do it best; the lanes of all vectors, interleaved in turn, are then the panels one after another.
template <int nr, int kr, int width, int steps, bool around_caches>
NARROW_INLINE void pack_step(const int8_t* src, ptrdiff_t stride, int8_t* dst, ptrdiff_t panel_stride) {
  constexpr int step_bytes = nr * kr, piece = step_bytes < width ? step_bytes : width;
  Bytes<width> row[steps][kr];
  unroll<steps>([&](int s) NARROW_LAMBDA {
    unroll<kr>([&](int i) NARROW_LAMBDA {
      memcpy(&row[s][i], src + (s * kr + i) * stride, width);
      __builtin_prefetch(src + ((2 * steps + s) * kr + i) * stride);
    });
    interleave<16, 1, width>(row[s]);
    if constexpr (width > 16) interleave<width, 16, width>(row[s]);
  });
  unroll<kr * width / piece, steps>([&](int i, int s) NARROW_LAMBDA {
    const int at = i * piece;
    store_packed<around_caches, piece>(dst + at / step_bytes * panel_stride + s * step_bytes + at % step_bytes,
                                       reinterpret_cast<const int8_t*>(&row[s][at / width]) + at % width);
  });
}

/// Moves `steps` whole steps of `panels` whole panels with registers of `width` bytes.
template <int nr, int kr, int width, bool around_caches>
void pack_steps(const PackBArgs& args, ptrdiff_t steps, int panels) {
  constexpr int step_bytes = nr * kr, steps_of_line = around_caches && step_bytes < 64 ? 64 / step_bytes : 1;
  const int8_t* src = static_cast<const int8_t*>(args.src);
  int8_t* dst = static_cast<int8_t*>(args.dst);
  const ptrdiff_t k_stride = args.order == Order::nk ? 1 : args.stride, n_stride = args.order == Order::nk ? args.stride : 1;
  auto one_by_one = [&](int panel, ptrdiff_t step) NARROW_LAMBDA {
    const int8_t* from = src + panel * nr * n_stride + step * kr * k_stride;
    int8_t* to = dst + panel * args.dst_stride + step * step_bytes;
    for (int c = 0; c < nr; ++c)
      for (int i = 0; i < kr; ++i) to[c * kr + i] = from[c * n_stride + i * k_stride];
  };

  if (args.order == Order::kn) {
    constexpr bool fits = kr > 1 && (step_bytes % width == 0 || width % step_bytes == 0) && kr * width % step_bytes == 0;
    constexpr int together = fits ? kr * width / step_bytes : 1;
    ptrdiff_t s = 0;
    auto advance = [&](auto count) NARROW_LAMBDA {
      constexpr bool whole_lines = around_caches && count * step_bytes % 64 == 0;
      int p = 0;
      if constexpr (fits)
        for (; p + together <= panels; p += together)
          pack_step<nr, kr, width, count, whole_lines>(src + s * kr * args.stride + p * nr, args.stride,
                                                       dst + p * args.dst_stride + s * step_bytes, args.dst_stride);
      for (; p < panels; ++p)
        for (int i = 0; i < count; ++i) one_by_one(p, s + i);
      s += count;
    };
    while (s + steps_of_line <= steps) advance(std::integral_constant<int, steps_of_line>{});
    if constexpr (steps_of_line > 1)
      while (s < steps) advance(std::integral_constant<int, 1>{});
    return;
  }
  constexpr int most = (nr < 16 ? nr : 16) * kr, line = width < most ? width : most;
  constexpr bool whole_lines = around_caches && (line == step_bytes || line % 64 == 0);  // one after another
  for (int p = 0; p < panels; ++p) {
    ptrdiff_t s = 0;
    if constexpr ((line & (line - 1)) == 0 && line % kr == 0 && nr % (line / kr) == 0) {
      constexpr int together = line / kr;  // columns, and steps
      for (; s + together <= steps; s += together)
        unroll<nr / together>([&](int c) NARROW_LAMBDA {
          const int8_t* from = src + (p * nr + c * together) * args.stride + s * kr;
          int8_t* to = dst + p * args.dst_stride + s * step_bytes + c * line;
          Bytes<line> row[together];
          unroll<together>([&](int i) NARROW_LAMBDA {
            memcpy(&row[i], from + i * args.stride, line);
            __builtin_prefetch(from + (i + nr) * args.stride);
          });
          interleave<line, kr, line>(row);
          unroll<together>([&](int i) NARROW_LAMBDA {
            store_packed<whole_lines, line>(to + i * step_bytes, reinterpret_cast<const int8_t*>(&row[i]));
          });
        });
    }
    for (; s < steps; ++s) one_by_one(p, s);
  }
}

/// [cols] sums over k, as the product with a row (or group of rows) of ones.
template <class Isa>
void sum_columns(const void* packed, ptrdiff_t k_padded, int cols, int32_t* sum) {
  const int8_t* panel = static_cast<const int8_t*>(packed);
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

/// Bytes of the registers that an instruction set loads B with; plain C++ works with 16.
template <class Isa>
constexpr int register_bytes() {
  int bytes;
  if constexpr (requires { typename Isa::B; })
    bytes = sizeof(typename Isa::B);
  else
    bytes = sizeof(typename Isa::V);
  return bytes < 16 ? 16 : bytes;
}

/// Panels of columns of bytes.
template <class Isa>
void pack_panels(const PackBArgs& args) {
  constexpr int nr = Isa::geometry.nr, kr = Isa::geometry.kr;
  const ptrdiff_t k_stride = args.order == Order::nk ? 1 : args.stride;
  const ptrdiff_t n_stride = args.order == Order::nk ? args.stride : 1;
  const ptrdiff_t steps = args.k_padded / kr, whole_steps = args.k / kr;
  const int whole_panels = args.cols / nr;
  constexpr int width = register_bytes<Isa>();
  if constexpr (width > 16) {
    if (args.around_caches) {
      pack_steps<nr, kr, width, true>(args, whole_steps, whole_panels);
      asm volatile("sfence" : : : "memory");  // before another thread is told
    }
  }
  if (width == 16 || !args.around_caches) pack_steps<nr, kr, width, false>(args, whole_steps, whole_panels);

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

}  // namespace
}  // namespace narrow
