#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace bench {
namespace {

constexpr double slice = 3e-3;   // seconds a contender keeps the machine; long against the timer, short against the noise
constexpr double least_rounds = 5, most_rounds = 99;
constexpr double patience = 4;   // a round longer than this many budgets is not repeated

// How long worker threads of an OpenMP runtime may spin after a parallel region before they sleep.
constexpr std::chrono::milliseconds spin_time{25};

double seconds_for(const Contender& c, long repetitions) {
  const auto start = std::chrono::steady_clock::now();
  c.run(repetitions);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Repetitions that fill a slice.
long calibrate(const Contender& c) {
  long n = 1;
  double t = seconds_for(c, n);                           // also the first call, which faults pages in
  if (t < slice) t = std::min(t, seconds_for(c, n));
  while (t < slice / 8 && n < (1L << 40)) {
    n *= t < slice / 256 ? 16 : 4;
    t = seconds_for(c, n);
  }
  return std::max(1L, std::lround(n * slice / t));
}

template <class F>
Series combine(const Series& a, const Series& b, F f) {
  Series out(std::min(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = f(a[i], b[i]);
  return out;
}

}  // namespace

std::vector<Series> measure(const std::vector<Contender>& contenders, double seconds, int threads) {
  const std::size_t count = contenders.size();
  std::vector<long> repetitions(count);
  for (std::size_t i = 0; i < count; ++i) repetitions[i] = calibrate(contenders[i]);

  std::vector<Series> rates(count);
  const auto round = [&](std::size_t number) {
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t i = (number + turn) % count;  // nobody always runs after the same rival
      const long n = repetitions[i];
      if (threads > 1) std::this_thread::sleep_for(spin_time);
      if (threads > 1) contenders[i].run(n);
      else if (n > 1) contenders[i].run(std::max(1L, n / 16));
      rates[i].push_back(contenders[i].work * n / seconds_for(contenders[i], n));
    }
  };

  const auto start = std::chrono::steady_clock::now();
  round(0);
  const double cost = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rounds = cost > patience * seconds ? 1 : std::clamp(seconds / cost, least_rounds, most_rounds);
  for (std::size_t r = 1; r < static_cast<std::size_t>(rounds); ++r) round(r);
  return rates;
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
