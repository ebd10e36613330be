// From the int32 sums of a tile to C. Rows are the inner loop, so a column's parameters stay in registers: columns are taken
// four vectors at a time, then vector by vector, the last one partial.
//
// `general` is false for the usual case (no scales or zero points of rows, no zero points of B, no accumulate, no residual),
// where nothing but the sums is read row by row.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>

#include "kernels/common/activation.h"
#include "kernels/common/columns.h"
#include "kernels/common/float16.h"
#include "kernels/common/residual.h"
#include "kernels/common/unroll.h"
#include "src/kernel_tables.h"

namespace narrow {
namespace {

/// body(vectors, j, count) for the columns from j on: `count` in each of so many vectors.
template <class S, class Body>
NARROW_INLINE void for_each_chunk(int cols, Body body) {
  int j = 0;
  for (; cols - j >= 4 * S::width; j += 4 * S::width) body(std::integral_constant<int, 4>{}, j, S::width);
  for (; j < cols; j += S::width) body(std::integral_constant<int, 1>{}, j, cols - j < S::width ? cols - j : S::width);
}

/// A chunk of one vector may be partial.
template <class S, int vectors, class T>
NARROW_INLINE auto load_vector(const T* p, int v, int count) {
  if constexpr (vectors == 1)
    return S::load(p, count);
  else
    return S::load(p + v * S::width);
}
template <class S, int vectors, class T, class V>
NARROW_INLINE void store_vector(T* p, V x, int v, int count) {
  if constexpr (vectors == 1)
    S::store(p, x, count);
  else
    S::store(p + v * S::width, x);
}

template <class T>
NARROW_INLINE T* row(void* p, ptrdiff_t stride, int i) {
  return reinterpret_cast<T*>(static_cast<char*>(p) + i * stride);
}

/// The sums of row i, less what zero points of the row and of B add.
template <class S, bool general, int vectors>
NARROW_INLINE void load_sums(const EpilogueArgs& args, int i, int j, typename S::I (&sum)[vectors]) {
  const int32_t* from = args.sum + i * args.sum_stride + j;
  unroll<vectors>([&](int v) NARROW_LAMBDA { sum[v] = S::load(from + v * S::width); });
  if constexpr (general) {
    auto subtract = [&](int32_t of_row, const int32_t* of_columns) NARROW_LAMBDA {
      unroll<vectors>([&](int v) NARROW_LAMBDA {
        sum[v] = S::sub(sum[v], S::mul(S::broadcast(of_row), S::load(of_columns + j + v * S::width)));
      });
    };
    if (args.spec->row_zero_point) subtract(args.a_zero_point[i], args.columns->sum);
    if (args.columns->has_zero_point) subtract(args.row_sum[i], args.columns->zero_point);
  }
}

/// Sums of row i -> real values before accumulate, residual and activation.
template <class S, bool general, int vectors>
NARROW_INLINE void dequantize(const EpilogueArgs& args, int i, int j, const typename S::F (&scale)[vectors],
                              const typename S::F (&bias)[vectors], typename S::F (&y)[vectors]) {
  typename S::I sum[vectors];
  load_sums<S, general>(args, i, j, sum);
  if (general && args.spec->float_sums)
    unroll<vectors>([&](int v) NARROW_LAMBDA { y[v] = S::from_bits(sum[v]); });
  else
    unroll<vectors>([&](int v) NARROW_LAMBDA { y[v] = S::to_float(sum[v]); });
  if constexpr (general) {
    if (args.spec->row_scale) {
      const typename S::F row_scale = S::broadcast(args.a_scale[i]);
      unroll<vectors>([&](int v) NARROW_LAMBDA { y[v] = y[v] * row_scale; });
    }
  }
  unroll<vectors>([&](int v) NARROW_LAMBDA { y[v] = S::fma(y[v], scale[v], bias[v]); });
}

inline bool is_general(const EpilogueArgs& args) {
  const EpilogueSpec& spec = *args.spec;
  return spec.float_sums || spec.row_scale || spec.row_zero_point || spec.accumulate || spec.residual != Type::none ||
         args.columns->has_zero_point;
}

template <class S, class T, class Function, bool general>
NARROW_INLINE void float_tile(const EpilogueArgs args) {  // a copy, that no store to C can change
  using F = typename S::F;
  const EpilogueSpec& spec = *args.spec;
  const Function activation(spec);
  for_each_chunk<S>(args.cols, [&](auto vectors, int j, int count) NARROW_LAMBDA {
    F scale[vectors], bias[vectors];
    unroll<vectors>([&](int v) NARROW_LAMBDA {
      scale[v] = S::load(args.columns->scale + j + v * S::width);
      bias[v] = S::load(args.columns->bias + j + v * S::width);
    });
    for (int i = 0; i < args.rows; ++i) {
      T* c = row<T>(args.c, args.c_stride, i) + j;
      F y[vectors];
      dequantize<S, general>(args, i, j, scale, bias, y);
      if constexpr (general) {
        if (spec.accumulate) unroll<vectors>([&](int v) NARROW_LAMBDA { y[v] = y[v] + load_vector<S, vectors>(c, v, count); });
        if (spec.residual != Type::none) add_residual<S, T>(args, i, j, count, y);
      }
      activation(y);
      unroll<vectors>([&](int v) NARROW_LAMBDA { store_vector<S, vectors>(c, y[v], v, count); });
    }
  });
}

/// For 16-bit outputs the general code has to do: next to their conversion the few branches more are nothing.
template <class S, class T, template <class> class Function>
void float_epilogue(const EpilogueArgs& args) {
  if (sizeof(T) == 2 || is_general(args))
    float_tile<S, T, Function<S>, true>(args);
  else
    float_tile<S, T, Function<S>, false>(args);
}

template <class S, class T, int vectors>
NARROW_INLINE void store_narrow(const typename S::template Narrow<T>& narrow, T* c, const typename S::I (&q)[vectors],
                                int count) {
  if constexpr (vectors == 4)
    narrow.store(c, q[0], q[1], q[2], q[3]);
  else
    narrow.store(c, q[0], count);
}

/// `general` here also means that the values may be NaN, and that the output's scale may be still to apply.
template <class S, class T, class Function, bool general>
NARROW_INLINE void quantized_tile(const EpilogueArgs args) {
  using F = typename S::F;
  const EpilogueSpec& spec = *args.spec;
  const Function activation(spec);
  const typename S::template Narrow<T> narrow(spec.c_zero_point, spec.c_lo, spec.c_hi);
  const F inverse = S::broadcast(folds_output_scale(spec) ? 1.0f : spec.c_inverse);
  const F limit = S::broadcast(0x1p20f);  // beyond every output, within what to_int takes
  for_each_chunk<S>(args.cols, [&](auto vectors, int j, int count) NARROW_LAMBDA {
    F scale[vectors], bias[vectors];
    unroll<vectors>([&](int v) NARROW_LAMBDA {
      scale[v] = S::load(args.columns->scale + j + v * S::width);
      bias[v] = S::load(args.columns->bias + j + v * S::width);
    });
    for (int i = 0; i < args.rows; ++i) {
      F y[vectors];
      typename S::I q[vectors];
      dequantize<S, general>(args, i, j, scale, bias, y);
      if constexpr (general) {
        if (spec.residual != Type::none) add_residual<S, T>(args, i, j, count, y);
      }
      activation(y);
      unroll<vectors>([&](int v) NARROW_LAMBDA {
        if constexpr (general) y[v] = S::nan_to_zero(y[v] * inverse);
        q[v] = S::to_int(S::min(y[v], limit));
      });
      store_narrow<S, T>(narrow, row<T>(args.c, args.c_stride, i) + j, q, count);
    }
  });
}

template <class S, class T, template <class> class Function>
void quantized_epilogue(const EpilogueArgs& args) {
  constexpr bool linear = std::is_same_v<Function<S>, Identity<S>>;  // else NaN may come of infinities
  if (!linear || is_general(args))
    quantized_tile<S, T, Function<S>, true>(args);
  else
    quantized_tile<S, T, Function<S>, false>(args);
}

template <class S, class T>
void fixed_point_epilogue(const EpilogueArgs& args) {
  using I = typename S::I;
  const EpilogueSpec& spec = *args.spec;
  const typename S::template Narrow<T> narrow(spec.c_zero_point, spec.c_lo, spec.c_hi);
  for_each_chunk<S>(args.cols, [&](auto vectors, int j, int count) NARROW_LAMBDA {
    for (int i = 0; i < args.rows; ++i) {
      I q[vectors];
      load_sums<S, true>(args, i, j, q);
      unroll<vectors>([&](int v) NARROW_LAMBDA {
        q[v] = S::fixed_point(q[v], S::load(args.columns->multiplier + j + v * S::width),
                              S::load(args.columns->shift + j + v * S::width));
      });
      store_narrow<S, T>(narrow, row<T>(args.c, args.c_stride, i) + j, q, count);
    }
  });
}

/// Where both operands have the same sign and the sum has not, it becomes the extreme value of that sign.
template <class S>
NARROW_INLINE typename S::I add_saturating(typename S::I a, typename S::I b) {
  using I = typename S::I;
  const I sum = S::add(a, b);
  const I overflow = S::template shift_right_signed<31>(S::bit_and(S::bit_xor(a, sum), S::bit_xor(b, sum)));
  const I extreme = S::bit_xor(S::template shift_right_signed<31>(sum), S::broadcast(INT32_MIN));
  return S::bit_xor(sum, S::bit_and(S::bit_xor(sum, extreme), overflow));
}

template <class S>
void s32_epilogue(const EpilogueArgs& args) {
  using I = typename S::I;
  for_each_chunk<S>(args.cols, [&](auto vectors, int j, int count) NARROW_LAMBDA {
    for (int i = 0; i < args.rows; ++i) {
      int32_t* c = row<int32_t>(args.c, args.c_stride, i) + j;
      I sum[vectors];
      load_sums<S, true>(args, i, j, sum);
      if (args.spec->accumulate)
        unroll<vectors>([&](int v) NARROW_LAMBDA { sum[v] = add_saturating<S>(sum[v], load_vector<S, vectors>(c, v, count)); });
      unroll<vectors>([&](int v) NARROW_LAMBDA { store_vector<S, vectors>(c, sum[v], v, count); });
    }
  });
}

/// Bits of C, in words of 32 (of 64 where vectors are that long), then in the smallest pieces that are whole bytes and vectors.
/// A strip begins with a byte; behind its columns follow zeros.
template <class S, bool general>
NARROW_INLINE void bits_tile(const EpilogueArgs args) {
  using I = typename S::I;
  constexpr int piece = S::width > 8 ? S::width : 8, word = 4 * piece;
  const auto compare = [&](auto columns, int j) NARROW_LAMBDA {
    constexpr int vectors = columns / S::width;
    using Word =
        std::conditional_t<columns == 64, uint64_t,
                           std::conditional_t<columns == 32, uint32_t, std::conditional_t<columns == 16, uint16_t, uint8_t>>>;
    I threshold[vectors];
    unroll<vectors>([&](int v) NARROW_LAMBDA { threshold[v] = S::load(args.columns->threshold + j + v * S::width); });
    const Word turned = static_cast<Word>(args.columns->turned >> j);
    for (int i = 0; i < args.rows; ++i) {
      I sum[vectors];
      load_sums<S, general>(args, i, j, sum);
      Word bits = turned;
      unroll<vectors>([&](int v) NARROW_LAMBDA {
        bits ^= static_cast<Word>(static_cast<Word>(S::mask_not_less(threshold[v], sum[v])) << v * S::width);
      });
      memcpy(row<char>(args.c, args.c_stride, i) + j / 8, &bits, sizeof bits);
    }
  };
  int j = 0;
  for (; args.cols - j > word - piece; j += word) compare(std::integral_constant<int, word>{}, j);
  for (; j < args.cols; j += piece) compare(std::integral_constant<int, piece>{}, j);
  for (int i = 0; i < args.rows; ++i)
    for (int k = j; k < args.bit_cols; k += 8) row<char>(args.c, args.c_stride, i)[k / 8] = 0;
}

template <class S>
void bits_epilogue(const EpilogueArgs& args) {
  if (args.spec->row_zero_point || args.columns->has_zero_point)
    bits_tile<S, true>(args);
  else
    bits_tile<S, false>(args);
}

template <class S, class T>
EpilogueFn select_float_epilogue(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return float_epilogue<S, T, Relu>;
    case Activation::clamp:
      return float_epilogue<S, T, Clamp>;
    case Activation::leaky_relu:
      return float_epilogue<S, T, LeakyRelu>;
    case Activation::gelu:
      return float_epilogue<S, T, Gelu>;
    case Activation::silu:
      return float_epilogue<S, T, Silu>;
    default:
      return float_epilogue<S, T, Identity>;
  }
}

template <class S, class T>
EpilogueFn select_quantized_epilogue(const EpilogueSpec& spec) {
  if (spec.requantize == Requantize::fixed_point) return fixed_point_epilogue<S, T>;
  switch (spec.activation) {
    case Activation::leaky_relu:
      return quantized_epilogue<S, T, LeakyRelu>;
    case Activation::gelu:
      return quantized_epilogue<S, T, Gelu>;
    case Activation::silu:
      return quantized_epilogue<S, T, Silu>;
    default:
      return quantized_epilogue<S, T, Identity>;
  }
}

template <class S>
EpilogueFn select_epilogue(const EpilogueSpec& spec) {
  switch (spec.c) {
    case Type::f32:
      return select_float_epilogue<S, float>(spec.activation);
    case Type::bf16:
      return select_float_epilogue<S, Bf16>(spec.activation);
    case Type::f16:
      return select_float_epilogue<S, F16>(spec.activation);
    case Type::s8:
      return select_quantized_epilogue<S, int8_t>(spec);
    case Type::u8:
      return select_quantized_epilogue<S, uint8_t>(spec);
    case Type::b1:
      return bits_epilogue<S>;
    default:
      return s32_epilogue<S>;
  }
}

}  // namespace
}  // namespace narrow
