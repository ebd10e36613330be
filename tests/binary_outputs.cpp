// What becomes of the sums of bits: all epilogues, and bits again.
#include "tests/all_pairs.h"
#include "tests/check_rows.h"
#include "tests/parallels.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class BinaryOutputs : public TierTest {};
NARROW_FOR_EACH_TIER(BinaryOutputs);

/// What tiles compare counts with, where sums and thresholds are at the ends of int32.
TEST_P(BinaryOutputs, LimitsOfThresholds) {
  constexpr std::int32_t ends[] = {INT32_MIN, INT32_MIN + 1, INT32_MIN + 2, -2, -1, 0, 1, 2, INT32_MAX - 2, INT32_MAX - 1, INT32_MAX};
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    if (kernel->limits == nullptr) continue;
    for (std::int32_t from : ends)
      for (std::int32_t threshold : ends) {
        alignas(64) std::int32_t thresholds[max_tile_cols], limits[max_tile_cols];
        std::fill_n(thresholds, max_tile_cols, threshold);
        std::fill_n(limits, max_tile_cols, from);
        kernel->limits(thresholds, max_tile_cols, limits);
        for (std::int64_t differ : {0, 1, 2, 3, 1000, 1 << 24})
          ASSERT_EQ(differ >= limits[0], from - 2 * differ <= threshold) << from << ' ' << threshold << ' ' << differ;
      }
  }
}

TEST_P(BinaryOutputs, Epilogues) {
  const std::vector<Type> c_types = {Type::s32, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8};
  const std::vector<Type> residuals = {Type::none, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8};
  const auto case_of = [&](const std::vector<int>& row) {
    Case c = bits(1, 1, 1);
    c.a_scale = static_cast<Given>(row[0]);
    c.b_scale = static_cast<Given>(row[1]);
    c.c = c_types[row[2]];
    c.bias = static_cast<Bias>(row[3]);
    c.accumulate = row[4] != 0;
    c.residual = residuals[row[5]];
    c.activation = static_cast<Activation>(row[6]);
    c.requantize = static_cast<Requantize>(row[7]);
    return c;
  };
  Rng rng(4);
  std::uint64_t seed = 0;
  int checked = 0;
  for (const auto& row : all_pairs({3, 3, 6, 3, 2, 6, 6, 2}, rng, [&](const std::vector<int>& r) {
         const Case c = case_of(r);
         const bool s32 = c.c == Type::s32, rounded = c.c == Type::s8 || c.c == Type::u8;
         if ((s32 && c.bias == Bias::f32) || (c.accumulate && rounded)) return false;
         if (s32 && (c.residual != Type::none || c.activation != Activation::none)) return false;
         return c.requantize == Requantize::float_multiplier || (rounded && c.bias != Bias::f32 && c.residual == Type::none &&
                                                                 c.a_scale != Given::each && c.activation <= Activation::clamp);
       }))
    for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
      const Geometry& g = kernel->geometry;
      for (std::int64_t n : {g.nr - 3, g.nr * g.max_panels + 5}) {
        Case c = case_of(row);
        c.m = 2 + static_cast<std::int64_t>(++seed % 7);
        c.n = n;
        c.k = 1 + static_cast<std::int64_t>(seed % 167);
        c.pad = seed % 3;
        c.seed = seed;
        ASSERT_TRUE(Problem(c).check(*kernel));
        ++checked;
      }
    }
  if (!rows_of(GetParam(), Type::b1, Sums::bits).empty()) {
    EXPECT_GT(checked, 50);
  }
}

/// Bits out, of bits and of bytes: every n, the zeros behind them, nothing else touched; k in one pass and in several.
TEST_P(BinaryOutputs, BitsOut) {
  std::uint64_t seed = 0;
  for (Type b : {Type::b1, Type::s8})
    for (const Kernel* kernel : rows_of(GetParam(), b, b == Type::b1 ? Sums::bits : Sums::integers)) {
      const Geometry& g = kernel->geometry;
      if (g.nr % 8 != 0) {  // a panel's bits of C are no whole bytes
        EXPECT_NE(kernel, rows_of(GetParam(), b, kernel->sums).front()) << "the row that is dispatched to refuses bits out";
        continue;
      }
      for (std::int64_t n = 1; n <= 2 * g.max_panels * g.nr + 1; n += n < 70 ? 1 : 5) {
        ++seed;
        Case c = bits(1 + static_cast<std::int64_t>(seed % 9), n, 1 + static_cast<std::int64_t>(seed % 97));
        c.a = b == Type::b1 ? Type::b1 : Type::u8;
        c.b = b;
        c.c = Type::b1;
        c.bias = seed % 3 == 0 ? Bias::s32 : Bias::none;
        c.pad = seed % 4;
        c.seed = seed;
        ASSERT_TRUE(Problem(c).check(*kernel));
      }
      Case longer = bits(20, 70, 40000);
      longer.a = b == Type::b1 ? Type::b1 : Type::u8;
      longer.b = b;
      longer.c = Type::b1;
      ASSERT_TRUE(Problem(longer).check(*kernel));
      for (int threads : {1, 2, 3, 8}) {
        Case c = bits(65, 333, 4000);
        c.a = b == Type::b1 ? Type::b1 : Type::u8;
        c.b = b;
        c.c = Type::b1;
        Problem problem(c);
        Gemm plan;
        ASSERT_TRUE(problem.make_plan(*kernel, &plan));
        ASSERT_TRUE(problem.check(plan, 65, {threads, schedules[0].for_each, nullptr})) << threads;
        ASSERT_TRUE(problem.check(plan, 1, {threads, schedules[0].for_each, nullptr})) << threads;
      }
    }
}

}  // namespace
}  // namespace narrow::test
