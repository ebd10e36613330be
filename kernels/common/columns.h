// Column parameters of a strip, made ready for its tiles: everything that depends on the column alone is computed here, once,
// instead of in every row of the epilogue. docs/arithmetic.md has the formulas.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

/// Whether 1 / c_scale goes into the columns' scale and bias: where everything after them commutes with a positive factor.
constexpr bool folds_output_scale(const EpilogueSpec& spec) {
  return is_8bit(spec.c) && spec.residual == Type::none && spec.activation != Activation::gelu &&
         spec.activation != Activation::silu;
}

/// out = f(p) for all columns, 0 beyond them to the end of the panels, and no further: compilers make REP STOS of such a loop,
/// which took small products of strips narrower than Columns 5 to 20 %. No p stands for zeros, stride 0 for one value. `f`
/// works on vectors.
template <class S, class T, class Function>
NARROW_INLINE void for_columns(const T* p, int stride, StripColumns strip, T* out, Function f) {
  const int cols = strip.real;
  int j = 0;
  if (!p || stride == 0) {
    const auto value = f(S::broadcast(p ? *p : T{0}));
    for (; j < max_tile_cols; j += S::width) S::store(out + j, value);  // as many for all: no branch to foretell
  } else {
    for (; cols - j >= S::width; j += S::width) S::store(out + j, f(S::load(p + j)));
    if (j < cols) {
      S::store(out + j, f(S::load(p + j, cols - j)));
      j += S::width;
    }
    for (; j < strip.padded; j += S::width) S::store(out + j, S::broadcast(T{0}));
  }
}

template <class S>
NARROW_INLINE void prepare_sums(const EpilogueSpec& spec, const ColumnSource& source, StripColumns strip, Columns* columns) {
  using I = typename S::I;
  const auto as_is = [](I x) NARROW_LAMBDA { return x; };
  const I offset = S::broadcast(spec.offset);
  for_columns<S>(source.bias_s32, 1, strip, columns->init, [&](I x) NARROW_LAMBDA { return S::add(x, offset); });
  if (spec.row_zero_point || spec.a_zero_point) for_columns<S>(source.sum, 1, strip, columns->sum, as_is);
  if (!spec.row_zero_point && spec.a_zero_point) {
    const I a_zero_point = S::broadcast(spec.a_zero_point);
    for (int j = 0; j < strip.real; j += S::width)
      S::store(columns->init + j, S::sub(S::load(columns->init + j), S::mul(a_zero_point, S::load(columns->sum + j))));
  }
  columns->has_zero_point = source.zero_point != nullptr;
  if (source.zero_point) for_columns<S>(source.zero_point, source.zero_point_stride, strip, columns->zero_point, as_is);
  if (spec.requantize == Requantize::fixed_point) {
    for_columns<S>(source.multiplier, source.multiplier_stride, strip, columns->multiplier, as_is);
    for_columns<S>(source.shift, source.multiplier_stride, strip, columns->shift, as_is);
  }
}

template <class S>
NARROW_INLINE void prepare_scales(const EpilogueSpec& spec, const ColumnSource& source, StripColumns strip, Columns* columns) {
  using F = typename S::F;
  // Factors of 1 change nothing.
  const F a_scale = S::broadcast(spec.row_scale ? 1.0f : spec.a_scale);
  const F c_inverse = S::broadcast(folds_output_scale(spec) ? spec.c_inverse : 1.0f);
  const F largest = S::broadcast(0x1.fffffep127f), lowest = S::broadcast(-0x1.fffffep127f);
  const auto finite = [&](F x) NARROW_LAMBDA { return S::min(largest, S::max(lowest, x)); };
  for_columns<S>(source.scale, source.scale_stride, strip, columns->scale,
                 [&](F x) NARROW_LAMBDA { return finite(a_scale * x * c_inverse); });
  for_columns<S>(source.bias_f32, 1, strip, columns->bias, [&](F x) NARROW_LAMBDA { return x * c_inverse; });
  if (source.bias_f32 && folds_output_scale(spec)) {
    // With finite scales, only a NaN in the bias makes a NaN. It would quantize to the zero point, and so does 0 * sum + 0:
    // no tile has to look for it.
    for (int j = 0; j < strip.real; j += S::width) {
      const F bias = S::load(columns->bias + j), nan_or_zero = finite(bias) - finite(bias);
      S::store(columns->scale + j, S::nan_to_zero(S::load(columns->scale + j) + nan_or_zero));
      S::store(columns->bias + j, S::nan_to_zero(bias));
    }
  }
}

/// sum >= t is the same as not sum <= t - 1; where t is the least of all integers it is true, as no sum is that. Columns beyond
/// `cols` get zeros.
template <class S>
NARROW_INLINE void prepare_thresholds(const ColumnSource& source, StripColumns strip, Columns* columns) {
  using I = typename S::I;
  const int cols = strip.real;
  const I one = S::broadcast(int32_t{1}), least = S::broadcast(INT32_MIN);
  columns->turned = 0;
  for (int j = 0; j < strip.padded; j += S::width) {
    const int count = cols - j < S::width ? cols - j : S::width;
    const I at_least = source.at_most && count > 0 ? S::sub(one, S::load(source.at_most + j, count)) : one;
    const I threshold = count > 0 ? S::load(source.threshold + j, count) : least;
    S::store(columns->threshold + j, S::sub(S::max_signed(threshold, S::add(least, at_least)), at_least));
    columns->turned |= static_cast<uint64_t>(S::mask_not_less(at_least, one)) << j;
  }
  for (int j = cols; j < strip.padded; ++j) columns->threshold[j] = INT32_MAX;
  if (cols < max_tile_cols) columns->turned |= ~uint64_t{0} << cols;
}

template <class S>
void prepare(const EpilogueSpec& spec, const ColumnSource& source, StripColumns strip, Columns* columns) {
  prepare_sums<S>(spec, source, strip, columns);
  if (spec.c == Type::b1)
    prepare_thresholds<S>(source, strip, columns);
  else if (spec.c != Type::s32 && spec.requantize != Requantize::fixed_point)
    prepare_scales<S>(spec, source, strip, columns);
}

}  // namespace
}  // namespace narrow
