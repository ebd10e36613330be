// Timing of rivals side by side.
//
// A shared machine changes speed from second to second: a neighbour takes memory bandwidth, the clock moves. Two figures
// taken a second apart say little about each other; two taken within some milliseconds see the same machine. So the
// contenders of a row take turns: every round gives each of them one slice of a few milliseconds (up to thirty, where
// four calls take as long), ratios are formed within a round, and what is reported is the median over the rounds, with
// the quartiles as the spread.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// Something to be timed. `run(n)` does the work n times; the loop is inside so that a call of a few nanoseconds can be timed.
struct Contender {
  double work = 0;                ///< What one repetition gets done: MACs, bytes, or 1.
  std::function<void(long)> run;  ///< Empty: there is nothing of this kind to time.
};

/// The contender whose repetition is one call of f.
template <class F>
Contender contender(double work, F f) {
  return {work, [f](long n) mutable {
            for (long i = 0; i < n; ++i) f();
          }};
}

/// Work per second, one figure for each round.
using Series = std::vector<double>;

struct Entrant {
  Contender contender;
  Series* rates;  ///< Where its figures go. All entrants get the same number of rounds.
};

/// Times the entrants in turns for about `seconds`, at least five rounds (three where a round takes long); an entrant
/// with nothing to run is left out. Each slice of short calls is preceded by untimed ones that bring their operands back into
/// the caches, and with several threads by a pause in which the other contender's worker threads stop spinning.
void measure(std::vector<Entrant> entrants, double seconds, int threads);

/// a/b round by round, and the like. Series of different length: the rounds they share.
Series ratio(const Series& a, const Series& b);
Series smaller(const Series& a, const Series& b);
Series larger(const Series& a, const Series& b);
Series scaled(Series a, double factor);

struct Stat {
  double median = 0, low = 0, high = 0;  ///< low and high: the quartiles. All 0 for an empty series.
};
Stat stat(Series series);

}  // namespace bench
