// Compile-time loops. A tile lives in registers only if every index into it is a constant before the compiler's scalar
// replacement runs; unroll pragmas come too late for that under g++ 12 (it spills the accumulators), fold expressions do not.
#pragma once

#include <type_traits>
#include <utility>

#define NARROW_INLINE inline __attribute__((always_inline))
/// Goes between the parameters and the body of a lambda that must not become a call: [&]<int i>() NARROW_LAMBDA { ... }
#define NARROW_LAMBDA __attribute__((always_inline))

namespace narrow {
namespace {

template <class Indices, int... counts>
struct Unroll;
template <int... I, int N>
struct Unroll<std::integer_sequence<int, I...>, N> {
  template <class F>
  constexpr NARROW_INLINE void operator()(F&& f) const {
    (f(std::integral_constant<int, I>{}), ...);
  }
};
template <int... I, int N, int M>
struct Unroll<std::integer_sequence<int, I...>, N, M> {
  template <class F>
  constexpr NARROW_INLINE void operator()(F&& f) const {
    (f(std::integral_constant<int, I / M>{}, std::integral_constant<int, I % M>{}), ...);
  }
};
template <int... I, int N, int M, int L>
struct Unroll<std::integer_sequence<int, I...>, N, M, L> {
  template <class F>
  constexpr NARROW_INLINE void operator()(F&& f) const {
    (f(std::integral_constant<int, I / (M * L)>{}, std::integral_constant<int, I / L % M>{},
       std::integral_constant<int, I % L>{}),
     ...);
  }
};

/// unroll<N>(f): f(0) ... f(N - 1). Nested, unroll<N, M>(f): f(0, 0), f(0, 1) ... f(N - 1, M - 1).
///
/// An index that `f` takes as `int` is a constant as soon as f is inlined, and f is compiled once; one that it takes as `auto`
/// is a type of its own, for where the language wants a constant, and f is compiled for each. What a tile takes to compile is
/// mostly the copying of such bodies into one another, level by level: so the former where possible, and one loop over all
/// indices instead of one in another. A lambda that calls another by its name is to be avoided for another reason: what both
/// capture then becomes registers too late for g++, and the accumulators are spilled.
template <int... counts>
constexpr Unroll<std::make_integer_sequence<int, (counts * ...)>, counts...> unroll = {};

}  // namespace
}  // namespace narrow
