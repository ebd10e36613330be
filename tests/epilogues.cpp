// All combinations of what a product may be fused with, pairwise: the valid ones give the reference's bits on every tier, the
// others are refused with a reason.
#include "tests/all_pairs.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Epilogues : public TierTest {};
NARROW_FOR_EACH_TIER(Epilogues);

/// The lists that pairs are drawn from.
const std::vector<Type> a_types = {Type::u8, Type::s8, Type::f32, Type::bf16, Type::f16};
const std::vector<Type> c_types = {Type::s32, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8};
const std::vector<Type> residuals = {Type::none, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8};
const std::vector<int> counts = {5, 2, 3, 3, 3, 3, 6, 3, 2, 6, 2, 6, 2, 2, 2};

Case case_of(const std::vector<int>& row) {
  auto given = [](int i) { return static_cast<Given>(i); };
  Case c;
  c.a = a_types[row[0]];
  c.dynamic = static_cast<Dynamic>(row[1]);
  c.a_zero_point = given(row[2]);
  c.a_scale = given(row[3]);
  c.b_zero_point = given(row[4]);
  c.b_scale = given(row[5]);
  c.c = c_types[row[6]];
  c.bias = static_cast<Bias>(row[7]);
  c.accumulate = row[8] != 0;
  c.residual = residuals[row[9]];
  c.residual_is_c = row[10] != 0;
  c.activation = static_cast<Activation>(row[11]);
  c.requantize = static_cast<Requantize>(row[12]);
  c.multiplier = row[13] != 0 ? Given::each : Given::tensor;
  c.pad = row[14] != 0 ? 5 : 0;
  return c;
}

/// Options that say nothing: the description has no place for them.
bool expressible(const Case& c) {
  if (is_float(c.a) && (c.a_zero_point != Given::none || c.a_scale != Given::none)) return false;
  if (!is_float(c.a) && c.dynamic != Dynamic::symmetric) return false;
  if (c.residual_is_c && c.residual != c.c) return false;
  return c.requantize == Requantize::fixed_point || c.multiplier == Given::tensor;
}

/// The rules of gemm.h.
bool valid(const Case& c) {
  const bool s32 = c.c == Type::s32, fixed = c.requantize == Requantize::fixed_point;
  if (c.bias == Bias::f32 && (s32 || fixed)) return false;
  if (c.accumulate && is_8bit(c.c)) return false;
  if (s32 && (c.residual != Type::none || c.activation != Activation::none)) return false;
  if (!fixed) return true;
  return is_8bit(c.c) && c.residual == Type::none && !is_float(c.a) && c.a_scale != Given::each &&
         (c.activation == Activation::none || c.activation == Activation::relu || c.activation == Activation::clamp);
}

std::vector<Case> pairwise(bool want_valid) {
  Rng rng(4);
  std::vector<Case> cases;
  for (const auto& row : all_pairs(counts, rng, [&](const std::vector<int>& r) {
         return expressible(case_of(r)) && valid(case_of(r)) == want_valid;
       }))
    cases.push_back(case_of(row));
  return cases;
}

TEST_P(Epilogues, AllPairs) {
  const std::vector<Case> cases = pairwise(true);
  ASSERT_GT(cases.size(), 36u);
  std::uint64_t seed = 0;
  int checked = 0, trivial = 0;
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (Case c : cases)
      // One tile with a narrow last vector, one that is whole, and several strips.
      for (std::int64_t n : {g.nr - 3, g.nr * g.max_panels, g.nr * g.max_panels + 5}) {
        c.m = 2 + static_cast<std::int64_t>(++seed % 7);
        c.n = std::max<std::int64_t>(n, 1);
        c.k = 1 + static_cast<std::int64_t>(seed % 67);
        c.seed = seed;
        Problem problem(c);
        ASSERT_TRUE(problem.check(*kernel));
        ++checked;
        trivial += problem.trivial();
      }
  }
  EXPECT_LT(10 * trivial, checked) << trivial;
}

/// Every output type with every activation, and residuals of every type, over all n of two vectors: the partial stores.
TEST_P(Epilogues, EveryTail) {
  const Kernel& kernel = *rows_of(GetParam()).front();
  std::uint64_t seed = 1000;
  for (Type c_type : c_types)
    for (std::int64_t n = 1; n <= 2 * kernel.geometry.nr + 1; ++n) {
      const auto activation = c_type == Type::s32 ? Activation::none : static_cast<Activation>(n % 6);
      const Type residual = c_type == Type::s32 ? Type::none : residuals[n / 2 % 6];
      Problem problem({.m = 3, .n = n, .k = 9, .a = Type::s8, .a_scale = Given::tensor, .b_scale = Given::each, .c = c_type,
                       .accumulate = !is_8bit(c_type) && n % 2 == 1, .residual = residual, .activation = activation, .pad = n % 3,
                       .seed = ++seed});
      ASSERT_TRUE(problem.check(kernel));
    }
}

TEST(Epilogues, InvalidPairsAreRefused) {
  const std::vector<Case> cases = pairwise(false);
  ASSERT_GT(cases.size(), 20u);
  for (Case c : cases) {
    c.m = 3, c.n = 5, c.k = 7;
    Problem problem(c);
    Weights weights;
    ASSERT_TRUE(problem.pack(Cap(Tier::generic), &weights).ok());
    Gemm plan;
    const Status s = Gemm::plan(problem.desc(), weights, &plan);
    EXPECT_FALSE(s.ok()) << c;
    EXPECT_STRNE(s.reason, "") << c;
  }
}

TEST(Epilogues, AccumulateSaturatesS32) {
  for (Tier tier : available_tiers())
    for (Fill fill : {Fill::lowest, Fill::highest, Fill::extremes})
      for (Given zero_point : {Given::none, Given::each}) {
        Problem problem({.m = 5, .n = 67, .k = 33, .a = Type::s8, .a_fill = Fill::extremes, .b_fill = fill,
                         .a_zero_point = zero_point, .accumulate = true});
        const GemmArgs args = problem.args();
        auto* c = static_cast<std::int32_t*>(args.c);
        for (std::int64_t i = 0; i < 5 * 67; ++i) c[i] = i % 3 == 0 ? INT32_MAX - 5 : i % 3 == 1 ? INT32_MIN + 5 : 0;
        problem.keep_c();
        ASSERT_TRUE(problem.check(Cap(tier)));
      }
}

}  // namespace
}  // namespace narrow::test
