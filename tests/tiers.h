// The tiers and kernel rows that the tests of this process go over.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "narrow/isa.h"
#include "src/kernel.h"
#include "src/registry.h"

namespace narrow::test {

inline std::vector<Tier> all_tiers() {
  std::vector<Tier> tiers;
  for (int t = 0; t < tier_count; ++t) tiers.push_back(static_cast<Tier>(t));
  return tiers;
}

inline std::vector<Tier> available_tiers() {
  std::vector<Tier> tiers;
  for (Tier t : all_tiers())
    if (tier_available(t)) tiers.push_back(t);
  return tiers;
}

/// A tier's rows for one type of weights, as far as this machine has what they need beyond the tier.
inline std::vector<const Kernel*> rows_of(Tier tier, Type b = Type::s8, Sums sums = Sums::integers) {
  std::vector<const Kernel*> rows;
  for (int i = 0; const Kernel* row = kernel(tier, i); ++i)
    if (row->b == b && row->sums == sums && runs(*row)) rows.push_back(row);
  return rows;
}

/// For suites that are instantiated once for each tier.
class TierTest : public testing::TestWithParam<Tier> {};

inline std::string tier_test_name(const testing::TestParamInfo<Tier>& info) { return name(info.param); }

}  // namespace narrow::test

/// Instantiates `suite` for the tiers that this machine runs.
#define NARROW_FOR_EACH_TIER(suite)                                                                               \
  INSTANTIATE_TEST_SUITE_P(Tier, suite, testing::ValuesIn(narrow::test::available_tiers()), narrow::test::tier_test_name)
