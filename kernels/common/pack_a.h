// Rows of A in the form that a kernel reads: integers shifted to its element type, floats quantized row by row, k padded.
//
// A float row is read twice, first for its range, then, from the cache, to be quantized. The range is found on the bits, in two
// operations a vector: as signed integers, floats that are not negative (or magnitudes) are in order, and as unsigned ones,
// those with the sign set are, by magnitude, above all others. NaN and infinity come out beyond every finite value, so the same
// maximum tells that a row has them; only then is the range taken again without them, and the second pass looks for them.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/common/ask.h"
#include "kernels/common/float16.h"
#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

template <Type type>
struct PackedElement;
template <>
struct PackedElement<Type::u8> {
  using T = uint8_t;
};
template <>
struct PackedElement<Type::s8> {
  using T = int8_t;
};
template <>
struct PackedElement<Type::s16> {
  using T = int16_t;
};

/// The least and greatest of 0 and the finite values of a row; for symmetric quantization lo = 0 and hi the largest magnitude.
struct RowRange {
  float lo, hi;
  bool finite;
};

template <class S>
NARROW_INLINE typename S::F nonfinite_to_zero(typename S::F x) {
  return S::nan_to_zero(x + (x - x));
}

template <class S, Dynamic dynamic, bool finite, class Source>
NARROW_INLINE RowRange range_of(const Source* x, ptrdiff_t k) {
  using I = typename S::I;
  constexpr int unrolled = 4;
  I hi[unrolled], lo[unrolled];
  unroll<unrolled>([&](int u) NARROW_LAMBDA { hi[u] = lo[u] = S::broadcast(int32_t{0}); });
  auto take = [&](int u, typename S::F value) NARROW_LAMBDA {
    const I bits = S::bits(finite ? value : nonfinite_to_zero<S>(value));
    if constexpr (dynamic == Dynamic::symmetric) {
      hi[u] = S::max_signed(hi[u], S::bit_and(bits, S::broadcast(INT32_MAX)));
    } else {
      hi[u] = S::max_signed(hi[u], bits);
      lo[u] = S::max_unsigned(lo[u], bits);
    }
  };
  ptrdiff_t j = 0;
  for (; k - j >= unrolled * S::width; j += unrolled * S::width)
    unroll<unrolled>([&](int u) NARROW_LAMBDA { take(u, S::load(x + j + u * S::width)); });
  for (; k - j >= S::width; j += S::width) take(0, S::load(x + j));
  if (j < k) take(0, S::load(x + j, static_cast<int>(k - j)));
  unroll<unrolled - 1>([&](int u) NARROW_LAMBDA {
    hi[0] = S::max_signed(hi[0], hi[u + 1]);
    lo[0] = S::max_unsigned(lo[0], lo[u + 1]);
  });
  const uint32_t top = static_cast<uint32_t>(S::reduce_max_signed(hi[0]));
  const uint32_t bottom = dynamic == Dynamic::symmetric ? 0 : S::reduce_max_unsigned(lo[0]);
  return {bottom > 0x80000000 ? bits_float(bottom) : 0.0f, bits_float(top), top < 0x7f800000 && bottom < 0xff800000};
}

/// q = round(x * inverse) + zero_point, x ~ scale * (q - zero_point).
struct RowQuantization {
  float scale, inverse;
  int zero_point;

  NARROW_INLINE RowQuantization(Dynamic dynamic, RowRange range) : scale(1), inverse(1), zero_point(0) {
    constexpr float zero = 0x1p-118f;  // a range below this counts as none: its scale would not be a normal number
    if (dynamic == Dynamic::symmetric) {
      if (range.hi < zero) return;
      scale = range.hi / 127.0f;
      inverse = 127.0f / range.hi;
    } else {
      const float half = range.hi * 0.5f - range.lo * 0.5f;  // the range itself may be beyond the largest float
      if (half < zero) return;
      scale = half / 127.5f;
      inverse = 127.5f / half;
      zero_point = static_cast<int>(__builtin_lrintf(-range.lo * inverse));
      zero_point = zero_point > 255 ? 255 : zero_point;
    }
  }
};

/// What is asked for while a row is quantized: what lies so many elements further, and whether it comes from beyond the L2
/// cache.
struct Ahead {
  ptrdiff_t elements;
  bool far;
};

/// What row i asks for: the row so many below it. Rows from afar are brought to L2, and eight earlier, so that they are there
/// in time (1024^3 2 % faster on Zen 4).
NARROW_INLINE Ahead ahead_of_row(const PackAArgs& args, int i, int rows_ahead) {
  const int rows = args.far ? 8 : rows_ahead;
  return {i + rows < args.rows ? rows * args.stride : 0, args.far};
}

/// The row is in the cache by now.
template <class S, bool finite, class T, class Source>
NARROW_INLINE void quantize(const Source* x, ptrdiff_t count, Ahead ahead, float inverse,
                            const typename S::template Narrow<T>& narrow, T* out) {
  using F = typename S::F;
  auto quantized = [&](F value) NARROW_LAMBDA {
    value = value * S::broadcast(inverse);
    if constexpr (!finite) value = S::min(S::nan_to_zero(value), S::broadcast(0x1p20f));
    return S::to_int(value);
  };
  ptrdiff_t j = 0;
  for (; count - j >= 4 * S::width; j += 4 * S::width) {
    constexpr int lines = (4 * S::width * static_cast<int>(sizeof(Source)) + 63) / 64;
    unroll<lines>([&](int i)
                      NARROW_LAMBDA { ask(x + ahead.elements + j + i * (64 / static_cast<int>(sizeof(Source))), ahead.far); });
    narrow.store(out + j, quantized(S::load(x + j)), quantized(S::load(x + j + S::width)),
                 quantized(S::load(x + j + 2 * S::width)), quantized(S::load(x + j + 3 * S::width)));
  }
  for (; j < count; j += S::width) {
    const int left = count - j < S::width ? static_cast<int>(count - j) : S::width;
    narrow.store(out + j, quantized(S::load(x + j, left)), left);
  }
}

/// `count` >= size bytes, each ^ flip, in blocks of which the last may overlap the one before.
template <int size>
NARROW_INLINE void copy_blocks(const void* x, ptrdiff_t count, uint8_t flip, void* out) {
  typedef uint8_t Block __attribute__((vector_size(size)));
  auto move = [&](ptrdiff_t j) NARROW_LAMBDA {
    Block block;
    memcpy(&block, static_cast<const char*>(x) + j, size);
    block ^= flip;
    memcpy(static_cast<char*>(out) + j, &block, size);
  };
  for (ptrdiff_t j = 0; j < count - size; j += size) move(j);
  move(count - size);
}

/// Integers as they are, or shifted by 128 one way or the other, which for bytes is a flip of the top bit.
template <class T, class Source>
NARROW_INLINE void copy(const Source* x, ptrdiff_t count, T* out) {
  constexpr uint8_t flip = sizeof(T) == 1 && (static_cast<T>(-1) < 0) != (static_cast<Source>(-1) < 0) ? 0x80 : 0;
  if constexpr (sizeof(T) == 1) {  // a short row is over before a vectorized loop has found out how to go about it
    if (count >= 64) return copy_blocks<64>(x, count, flip, out);
    if (count >= 8) return copy_blocks<8>(x, count, flip, out);
  }
  for (ptrdiff_t j = 0; j < count; ++j) out[j] = static_cast<T>(x[j] ^ flip);
}

/// Nibbles as what they stand for (`sign` is 8 where they are signed), plus `add`. x begins with an even element.
template <class T>
NARROW_INLINE void copy_nibbles(const uint8_t* x, ptrdiff_t count, int sign, int add, T* out) {
  for (ptrdiff_t j = 0; j < count / 2; ++j) {
    out[2 * j] = static_cast<T>(((x[j] & 15) ^ sign) - sign + add);
    out[2 * j + 1] = static_cast<T>((x[j] >> 4 ^ sign) - sign + add);
  }
  if (count % 2) out[count - 1] = static_cast<T>(((x[count / 2] & 15) ^ sign) - sign + add);
}

template <class S, class T>
NARROW_INLINE int32_t sum_of(const T* x, ptrdiff_t count) {
  using I = typename S::I;
  I sum = S::broadcast(int32_t{0});
  ptrdiff_t j = 0;
  for (; count - j >= S::width; j += S::width) sum = S::add(sum, S::load(x + j));
  if (j < count) sum = S::add(sum, S::load(x + j, static_cast<int>(count - j)));
  return S::reduce_add(sum);
}

/// Minus the sum of products of pairs of k within each step of crossed sums (see crossed.h); modulo 2^32.
template <class S>
NARROW_INLINE int32_t row_begin(const int16_t* x, ptrdiff_t k_padded) {
  constexpr int count = 2 * S::width;  // in a register
  typename S::I sum = S::broadcast(int32_t{0});
  ptrdiff_t j = 0;
  for (; k_padded - j >= count; j += count) sum = S::add(sum, S::crossed(x + j));
  uint32_t total = static_cast<uint32_t>(S::reduce_add(sum));
  for (; j < k_padded; j += 4) total += static_cast<uint32_t>(x[j] * x[j + 2] + x[j + 1] * x[j + 3]);
  return static_cast<int32_t>(-total);
}

/// Writes row i by way of convert(first, count, out). Where rows are interleaved, that goes through a buffer in L1.
template <class S, class T, int row_group, int kr, class Convert>
NARROW_INLINE void write_row(const PackAArgs& args, int i, Convert convert) {
  constexpr int block = 512;
  T* const group = static_cast<T*>(args.dst) + i / row_group * (row_group * args.k_padded);
  uint32_t sum = 0;  // of as long rows as there may be it means no more than its value modulo 2^32
  if constexpr (row_group == 1) {
    const ptrdiff_t k = args.k, k_padded = args.k_padded;
    if (k_padded - k > kr || k_padded < kr)
      memset(group + k, 0, (k_padded - k) * sizeof(T));
    else if (k < k_padded)  // mostly; without a call
      memset(group + k_padded - kr, 0, kr * sizeof(T));
    convert(0, k, group);
    if (args.row_sum) sum = static_cast<uint32_t>(sum_of<S>(group, args.k));
    if constexpr (sizeof(T) == 2 && requires { S::crossed(group); })
      if (args.row_begin) args.row_begin[i] = row_begin<S>(group, k_padded);
  } else {
    T* out = group + i % row_group * kr;
    alignas(64) T buffer[block];
    for (ptrdiff_t first = 0; first < args.k_padded; first += block) {
      const ptrdiff_t padded = args.k_padded - first < block ? args.k_padded - first : block;
      const ptrdiff_t left = args.k > first ? args.k - first : 0, count = left < padded ? left : padded;
      convert(first, count, buffer);
      for (ptrdiff_t j = count; j < padded; ++j) buffer[j] = 0;
      if (args.row_sum) sum += static_cast<uint32_t>(sum_of<S>(buffer, count));
      for (ptrdiff_t j = 0; j < padded; j += kr, out += row_group * kr) memcpy(out, buffer + j, kr * sizeof(T));
    }
  }
  if (args.row_sum) args.row_sum[i] = static_cast<int32_t>(sum);
}

template <class S, Type packed, int row_group, int kr, class Source>
void pack_integer_rows(const PackAArgs& args) {
  using T = typename PackedElement<packed>::T;
  for (int i = 0; i < args.rows; ++i) {
    const Source* x = static_cast<const Source*>(args.src) + i * args.stride;
    write_row<S, T, row_group, kr>(
        args, i, [&](ptrdiff_t first, ptrdiff_t count, T* out) NARROW_LAMBDA { copy(x + first, count, out); });
  }
}

template <class S, Type packed, int row_group, int kr>
void pack_nibble_rows(const PackAArgs& args) {
  using T = typename PackedElement<packed>::T;
  const int sign = args.src_type == Type::s4 ? 8 : 0, add = a_offset(args.src_type, packed);
  for (int i = 0; i < args.rows; ++i) {
    const uint8_t* x = static_cast<const uint8_t*>(args.src) + i * args.stride / 2;
    write_row<S, T, row_group, kr>(args, i, [&](ptrdiff_t first, ptrdiff_t count, T* out) NARROW_LAMBDA {
      copy_nibbles(x + first / 2, count, sign, add, out);
    });
  }
}

template <class S, Dynamic dynamic, class Source>
NARROW_INLINE RowRange finite_range_of(const Source* x, ptrdiff_t k) {
  RowRange range = range_of<S, dynamic, true>(x, k);
  if (!range.finite) {
    range = range_of<S, dynamic, false>(x, k);
    range.finite = false;
  }
  return range;
}

template <class S, Type packed, int row_group, int kr, class Source>
void pack_float_rows(const PackAArgs& args) {
  using T = typename PackedElement<packed>::T;
  const bool symmetric = args.dynamic == Dynamic::symmetric;
  const int offset = symmetric ? a_offset(Type::s8, packed) : a_offset(Type::u8, packed);
  auto range_of_row = [&](int i) NARROW_LAMBDA {
    const Source* x = static_cast<const Source*>(args.src) + i * args.stride;
    return symmetric ? finite_range_of<S, Dynamic::symmetric>(x, args.k) : finite_range_of<S, Dynamic::asymmetric>(x, args.k);
  };
  RowRange next{};
  if (args.rows > 0) next = range_of_row(0);
  for (int i = 0; i < args.rows; ++i) {
    const Source* x = static_cast<const Source*>(args.src) + i * args.stride;
    // The next row's range is on its way while this row is quantized: a division and a maximum across a register take long.
    const RowRange range = next;
    if (i + 1 < args.rows) next = range_of_row(i + 1);
    const RowQuantization q(args.dynamic, range);
    const Ahead ahead = ahead_of_row(args, i, 4);  // the next row has been read by now, for its range
    const typename S::template Narrow<T> narrow(q.zero_point + offset, (symmetric ? -127 : 0) + offset,
                                                (symmetric ? 127 : 255) + offset);
    write_row<S, T, row_group, kr>(args, i, [&](ptrdiff_t first, ptrdiff_t count, T* out) NARROW_LAMBDA {
      if (range.finite)
        quantize<S, true>(x + first, count, ahead, q.inverse, narrow, out);
      else
        quantize<S, false>(x + first, count, ahead, q.inverse, narrow, out);
    });
    args.scale[i] = q.scale;
    args.zero_point[i] = q.zero_point + offset;
  }
}

template <class S, Type packed, int row_group = 1, int kr = 8>
void pack_a(const PackAArgs& args) {
  switch (args.src_type) {
    case Type::u8:
      pack_integer_rows<S, packed, row_group, kr, uint8_t>(args);
      break;
    case Type::s8:
      pack_integer_rows<S, packed, row_group, kr, int8_t>(args);
      break;
    case Type::u4:
    case Type::s4:
      pack_nibble_rows<S, packed, row_group, kr>(args);
      break;
    case Type::f32:
      pack_float_rows<S, packed, row_group, kr, float>(args);
      break;
    case Type::bf16:
      pack_float_rows<S, packed, row_group, kr, Bf16>(args);
      break;
    default:
      pack_float_rows<S, packed, row_group, kr, F16>(args);
      break;
  }
  if constexpr (row_group > 1) {  // the last group's missing rows
    using T = typename PackedElement<packed>::T;
    for (int i = args.rows; i % row_group; ++i) {
      PackAArgs none = args;
      none.k = 0;
      none.row_sum = nullptr;
      write_row<S, T, row_group, kr>(none, i, [](ptrdiff_t, ptrdiff_t, T*) {});
    }
  }
}

}  // namespace
}  // namespace narrow
