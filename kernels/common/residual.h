// The residual, of any type, on its way to the floats of an epilogue.
#pragma once

#include <stdint.h>

#include <type_traits>

#include "kernels/common/float16.h"
#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

template <class S, class T>
NARROW_INLINE typename S::F residual_to_float(const EpilogueSpec& spec, T x) {
  if constexpr (std::is_same_v<T, typename S::I>)
    return S::to_float(S::sub(x, S::broadcast(spec.residual_zero_point))) * S::broadcast(spec.residual_scale);
  else
    return x;
}

template <class S, class T>
NARROW_INLINE void load_residual_row(const EpilogueSpec& spec, const void* p, int cols, float* out) {
  for (int j = 0; j < cols; j += S::width) {
    const T* from = static_cast<const T*>(p) + j;
    S::store(out + j, residual_to_float<S>(spec, cols - j < S::width ? S::load(from, cols - j) : S::load(from)));
  }
}

/// Up to four vectors of the residual as floats. Not inlined: every type in every epilogue would be a lot of code.
template <class S>
__attribute__((noinline)) void load_residual(const EpilogueSpec& spec, const void* p, int cols, float* out) {
  switch (spec.residual) {
    case Type::f32:
      return load_residual_row<S, float>(spec, p, cols, out);
    case Type::bf16:
      return load_residual_row<S, Bf16>(spec, p, cols, out);
    case Type::f16:
      return load_residual_row<S, F16>(spec, p, cols, out);
    case Type::s8:
      return load_residual_row<S, int8_t>(spec, p, cols, out);
    default:
      return load_residual_row<S, uint8_t>(spec, p, cols, out);
  }
}

template <class T>
inline constexpr Type type_of = Type::none;
template <>
inline constexpr Type type_of<float> = Type::f32;
template <>
inline constexpr Type type_of<Bf16> = Type::bf16;
template <>
inline constexpr Type type_of<F16> = Type::f16;
template <>
inline constexpr Type type_of<int8_t> = Type::s8;
template <>
inline constexpr Type type_of<uint8_t> = Type::u8;

/// T is the type of C; a residual of the same type, the usual one, takes the short way.
template <class S, class T, int vectors>
NARROW_INLINE void add_residual(const EpilogueArgs& args, int i, int j, int count, typename S::F (&y)[vectors]) {
  const EpilogueSpec& spec = *args.spec;
  const char* from = static_cast<const char*>(args.residual) + i * args.residual_stride;
  if (vectors == 4 && spec.residual == type_of<T>) {
    unroll<vectors>([&](int v) NARROW_LAMBDA {
      y[v] = y[v] + residual_to_float<S>(spec, S::load(reinterpret_cast<const T*>(from) + j + v * S::width));
    });
    return;
  }
  const int size = is_8bit(spec.residual) ? 1 : spec.residual == Type::f32 ? 4 : 2;
  float residual[vectors * S::width];
  load_residual<S>(spec, from + j * size, vectors == 1 ? count : vectors * S::width, residual);
  unroll<vectors>([&](int v) NARROW_LAMBDA { y[v] = y[v] + S::load(residual + v * S::width); });
}

}  // namespace
}  // namespace narrow
