#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace bench {
namespace {

constexpr double slice = 3e-3;  // seconds a contender keeps the machine; long against the timer, short against the noise
constexpr long parts = 4;       // of a slice; the fastest stands for it, so that an interruption spoils a part, not the slice
constexpr double longest_slice = 10 * slice;  // of calls that are so long that a slice would not have its parts
constexpr double fewest_rounds = 3, least_rounds = 5, most_rounds = 99;  // of one there would be no spread
constexpr double patience = 3;             // budgets that the least rounds may take; there are fewer if they would take more
constexpr double unaffected = 20 * slice;  // a call of so long does not mind what the rivals left in the caches

// How long worker threads of an OpenMP runtime may spin after a parallel region before they sleep.
constexpr std::chrono::milliseconds spin_time{25};

double seconds_for(const Contender& c, long repetitions) {
  const auto start = std::chrono::steady_clock::now();
  c.run(repetitions);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Seconds of one repetition, from a slice of n.
double fastest_part(const Contender& c, long n) {
  const long each = std::max(1L, n / parts);
  double best = seconds_for(c, each);
  for (long i = 1; i < std::min(parts, n); ++i) best = std::min(best, seconds_for(c, each));
  return best / static_cast<double>(each);
}

struct Pace {
  long repetitions;  // that fill a slice
  bool warms_up;
};

Pace calibrate(const Contender& c) {
  long n = 1;
  double t = seconds_for(c, n);  // also the first call, which faults pages in
  if (t < slice) t = std::min(t, seconds_for(c, n));
  while (t < slice / 8 && n < (1L << 40)) {
    n *= t < slice / 256 ? 16 : 4;
    t = seconds_for(c, n);
  }
  t /= static_cast<double>(n);
  const long whole_parts = std::min(parts, static_cast<long>(longest_slice / t));
  return {std::max({1L, std::lround(slice / t), whole_parts}), t < unaffected};
}

template <class F>
Series combine(const Series& a, const Series& b, F f) {
  Series out(std::min(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = f(a[i], b[i]);
  return out;
}

}  // namespace

void measure(std::vector<Entrant> entrants, double seconds, int threads) {
  std::erase_if(entrants, [](const Entrant& e) { return !e.contender.run; });
  const std::size_t count = entrants.size();
  std::vector<Pace> paces(count);
  for (std::size_t i = 0; i < count; ++i) paces[i] = calibrate(entrants[i].contender);

  const auto round = [&](std::size_t number) {
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t i = (number + turn) % count;  // nobody always runs after the same rival
      const Contender& c = entrants[i].contender;
      const auto [n, warms_up] = paces[i];
      if (threads > 1) std::this_thread::sleep_for(spin_time);
      if (warms_up) c.run(threads > 1 ? n : std::max(1L, n / 16));  // the rivals have had the caches
      entrants[i].rates->push_back(c.work / fastest_part(c, n));
    }
  };

  const auto start = std::chrono::steady_clock::now();
  round(0);
  const double cost = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double least = std::clamp(patience * seconds / cost, fewest_rounds, least_rounds);
  const double rounds = std::clamp(seconds / cost, least, most_rounds);
  for (std::size_t r = 1; r < static_cast<std::size_t>(rounds); ++r) round(r);
}

Series ratio(const Series& a, const Series& b) {
  return combine(a, b, [](double x, double y) { return x / y; });
}
Series smaller(const Series& a, const Series& b) {
  return combine(a, b, [](double x, double y) { return std::min(x, y); });
}
Series larger(const Series& a, const Series& b) {
  return combine(a, b, [](double x, double y) { return std::max(x, y); });
}
Series scaled(Series a, double factor) {
  for (double& x : a) x *= factor;
  return a;
}

Stat stat(Series series) {
  if (series.empty()) return {};
  std::sort(series.begin(), series.end());
  const auto quantile = [&](double q) {
    const double at = q * static_cast<double>(series.size() - 1);
    const auto i = static_cast<std::size_t>(at);
    const double next = series[std::min(i + 1, series.size() - 1)];
    return series[i] + (at - static_cast<double>(i)) * (next - series[i]);
  };
  return {quantile(0.5), quantile(0.25), quantile(0.75)};
}

}  // namespace bench
