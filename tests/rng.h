// A small deterministic generator, so that a failing test fails again.
#pragma once

#include <cstdint>
#include <limits>

namespace narrow::test {

/// SplitMix64.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Both ends included.
  std::int64_t between(std::int64_t lo, std::int64_t hi) {
    return lo + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(hi - lo + 1));
  }
  bool one_in(int n) { return next() % static_cast<unsigned>(n) == 0; }
  double real(double lo, double hi) { return lo + (hi - lo) * static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

/// What fills an integer operand. Extremes are where saturating instructions and sign tricks go wrong.
enum class Fill { random, lowest, highest, extremes };

template <class T>
T draw(Rng& rng, Fill fill) {
  using Limits = std::numeric_limits<T>;
  switch (fill) {
    case Fill::lowest:
      return Limits::min();
    case Fill::highest:
      return Limits::max();
    case Fill::extremes:
      return rng.one_in(2) ? Limits::min() : Limits::max();
    case Fill::random:
      break;
  }
  return static_cast<T>(rng.next());
}

}  // namespace narrow::test
