// Column parameters of a strip, made ready for its tiles: everything that depends on the column alone is computed here, once,
// instead of in every row of the epilogue. docs/arithmetic.md has the formulas.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

constexpr bool is_8bit(Type type) { return type == Type::s8 || type == Type::u8; }

/// Whether 1 / c_scale goes into the columns' scale and bias: where everything after them commutes with a positive factor.
constexpr bool folds_output_scale(const EpilogueSpec& spec) {
  return is_8bit(spec.c) && spec.residual == Type::none && spec.activation != Activation::gelu &&
         spec.activation != Activation::silu;
}

/// Values j .. j + width - 1 of a column parameter; 0 beyond the last column.
template <class S, class T>
NARROW_INLINE auto load_columns(const T* p, int stride, int j, int cols) {
  if (j >= cols) return S::broadcast(T{0});
  if (stride == 0) return S::broadcast(*p);
  return cols - j >= S::width ? S::load(p + j) : S::load(p + j, cols - j);
}

template <class S>
void prepare(const EpilogueSpec& spec, const ColumnSource& source, int cols, Columns* columns) {
  using I = typename S::I;
  using F = typename S::F;
  columns->has_zero_point = source.zero_point != nullptr;
  const bool folded = folds_output_scale(spec);
  const int32_t a_zero_point = spec.row_zero_point ? 0 : spec.a_zero_point;

  for (int j = 0; j < max_tile_cols; j += S::width) {
    I init = source.bias_s32 ? load_columns<S>(source.bias_s32, 1, j, cols) : S::broadcast(int32_t{0});
    if (a_zero_point)
      init = S::sub(init, S::mul(S::broadcast(a_zero_point), load_columns<S>(source.sum, 1, j, cols)));
    S::store(columns->init + j, init);
    if (spec.row_zero_point) S::store(columns->sum + j, load_columns<S>(source.sum, 1, j, cols));
    if (source.zero_point)
      S::store(columns->zero_point + j, load_columns<S>(source.zero_point, source.zero_point_stride, j, cols));

    if (spec.c == Type::s32) continue;
    if (spec.requantize == Requantize::fixed_point) {
      S::store(columns->multiplier + j, load_columns<S>(source.multiplier, source.multiplier_stride, j, cols));
      S::store(columns->shift + j, load_columns<S>(source.shift, source.multiplier_stride, j, cols));
      continue;
    }
    F scale = load_columns<S>(source.scale, source.scale_stride, j, cols);
    F bias = source.bias_f32 ? load_columns<S>(source.bias_f32, 1, j, cols) : S::broadcast(0.0f);
    if (!spec.row_scale) scale = S::broadcast(spec.a_scale) * scale;
    if (folded) {
      scale = scale * S::broadcast(spec.c_inverse);
      bias = bias * S::broadcast(spec.c_inverse);
    }
    const F largest = S::broadcast(0x1.fffffep127f), lowest = S::broadcast(-0x1.fffffep127f);
    scale = S::min(largest, S::max(lowest, scale));
    if (folded) {
      // With finite scales, only a NaN in the bias makes a NaN. It would quantize to the zero point, as does 0 * sum + 0, so
      // no tile has to look for it.
      const F finite_or_nan = S::min(largest, S::max(lowest, bias));
      scale = S::nan_to_zero(scale + (finite_or_nan - finite_or_nan));
      bias = S::nan_to_zero(bias);
    }
    S::store(columns->scale + j, scale);
    S::store(columns->bias + j, bias);
  }
}

}  // namespace
}  // namespace narrow
