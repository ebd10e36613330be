// Compile-time loops. A tile lives in registers only if every index into it is a constant before the compiler's scalar
// replacement runs; unroll pragmas come too late for that under g++ 12 (it spills the accumulators), fold expressions do not.
#pragma once

#include <utility>

#define NARROW_INLINE inline __attribute__((always_inline))
/// Goes between the parameters and the body of a lambda that must not become a call: [&]<int i>() NARROW_LAMBDA { ... }
#define NARROW_LAMBDA __attribute__((always_inline))

namespace narrow {
namespace {

/// f<0>() ... f<N - 1>()
template <int N, class F>
constexpr NARROW_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) NARROW_LAMBDA { (f.template operator()<I>(), ...); }
  (std::make_integer_sequence<int, N>{});
}

/// Nested: f<0, 0>(), f<0, 1>() ... f<N - 1, M - 1>(). One lambda in all, where one in another would have a compiler copy the
/// body once for each level: of what it takes to compile a tile, that is the most.
template <int N, int M, class F>
constexpr NARROW_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) NARROW_LAMBDA { (f.template operator()<I / M, I % M>(), ...); }
  (std::make_integer_sequence<int, N * M>{});
}
template <int N, int M, int L, class F>
constexpr NARROW_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) NARROW_LAMBDA {
    (f.template operator()<I / (M * L), I / L % M, I % L>(), ...);
  }
  (std::make_integer_sequence<int, N * M * L>{});
}

}  // namespace
}  // namespace narrow
