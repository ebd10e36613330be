// All-pairs selection: every value of every option meets every value of every other one in some combination, in far
// fewer combinations than the full product.
#pragma once

#include <cstddef>
#include <set>
#include <tuple>
#include <vector>

#include "tests/rng.h"

namespace narrow::test {

/// `counts[i]` values for option i. Each returned row holds one value index for each option. Greedy: a row starts from a
/// pair that is still uncovered, and every other option takes the value that covers the most uncovered pairs.
/// `allowed` tells whether a row may be used; pairs that no allowed row was found for are left out.
template <class Allowed>
std::vector<std::vector<int>> all_pairs(const std::vector<int>& counts, Rng& rng, Allowed allowed) {
  using Pair = std::tuple<int, int, int, int>;  // option, value, later option, value
  const int options = static_cast<int>(counts.size());
  std::set<Pair> uncovered;
  for (int i = 0; i < options; ++i)
    for (int j = i + 1; j < options; ++j)
      for (int x = 0; x < counts[i]; ++x)
        for (int y = 0; y < counts[j]; ++y) uncovered.insert({i, x, j, y});

  auto pair_of = [](int i, int x, int j, int y) { return i < j ? Pair{i, x, j, y} : Pair{j, y, i, x}; };
  std::vector<std::vector<int>> rows;
  while (!uncovered.empty()) {
    const auto [i, x, j, y] = *uncovered.begin();
    std::vector<int> best;
    int best_gain = 0;
    for (int attempt = 0; attempt < 400 && (best.empty() || attempt < 20); ++attempt) {
      std::vector<int> row(options, -1);
      row[i] = x, row[j] = y;
      for (int o = 0; o < options; ++o) {
        if (row[o] >= 0) continue;
        int gain = -1;
        const int first = static_cast<int>(rng.between(0, counts[o] - 1));
        for (int s = 0; s < counts[o]; ++s) {
          const int value = (first + s) % counts[o];
          // Late attempts are random: a greedy choice that the rule forbids would be made again and again.
          int covers = attempt < 10 ? 0 : static_cast<int>(rng.between(0, 9));
          for (int other = 0; attempt < 10 && other < options; ++other)
            if (row[other] >= 0) covers += static_cast<int>(uncovered.count(pair_of(o, value, other, row[other])));
          if (covers > gain) gain = covers, row[o] = value;
        }
      }
      if (!allowed(row)) continue;
      int gain = 0;
      for (int p = 0; p < options; ++p)
        for (int q = p + 1; q < options; ++q) gain += static_cast<int>(uncovered.count({p, row[p], q, row[q]}));
      if (gain > best_gain) best_gain = gain, best = row;
    }
    if (best.empty()) {  // forbidden together
      uncovered.erase(uncovered.begin());
      continue;
    }
    for (int p = 0; p < options; ++p)
      for (int q = p + 1; q < options; ++q) uncovered.erase({p, best[p], q, best[q]});
    rows.push_back(best);
  }
  return rows;
}

}  // namespace narrow::test
