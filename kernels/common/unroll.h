// Compile-time loops. A tile lives in registers only if every index into it is a constant before the compiler's scalar
// replacement runs; unroll pragmas come too late for that under g++ 12 (it spills the accumulators), fold expressions do not.
#pragma once

#include <utility>

#define NARROW_INLINE inline __attribute__((always_inline))
/// Goes between the parameters and the body of a lambda that must not become a call: [&](auto i) NARROW_LAMBDA { ... }
#define NARROW_LAMBDA __attribute__((always_inline))

namespace narrow {
namespace {

/// f(0) ... f(N - 1), each index a std::integral_constant.
template <int N, class F>
constexpr NARROW_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) NARROW_LAMBDA { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}

}  // namespace
}  // namespace narrow
