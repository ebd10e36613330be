// Every tile function of every kernel row, through the public calls: all heights and widths, whole and partial panels, and every
// way in which tiles end: sums, reals, bytes, bits, or a buffer for the epilogue.
#include "tests/conv_problem.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class EveryTile : public TierTest {};
NARROW_FOR_EACH_TIER(EveryTile);

/// The outputs that tiles write themselves, and one that they do not.
std::vector<Case> outputs(Case base) {
  std::vector<Case> all;
  base.b_scale = Given::each;
  for (Type c : {Type::s32, Type::f32, Type::bf16, Type::s8, Type::u8, Type::b1})
    for (Activation activation : {Activation::none, Activation::relu, Activation::clamp}) {
      const bool raw = c == Type::s32 || c == Type::b1;
      if (raw && (activation != Activation::none || is_float(base.a))) continue;
      Case one = base;
      one.c = c, one.activation = activation;
      if (!is_float(base.a)) one.a_scale = Given::tensor;
      if (!raw) one.bias = Bias::f32;
      all.push_back(one);
    }
  return all;
}

void check_tiles(Tier tier, Type b, Sums sums, const Case& operands) {
  std::uint64_t seed = 0;
  for (const Kernel* kernel : rows_of(tier, b, sums)) {
    const Geometry& g = kernel->geometry;
    for (int panels = 1; panels <= g.max_panels; ++panels)
      for (std::int64_t n : {panels * g.nr, panels * g.nr - 1})
        for (Case c : outputs(operands)) {
          if (n == 0 || (c.c == Type::b1 && g.nr % 8 != 0)) continue;
          c.m = g.max_rows[panels - 1], c.n = n, c.k = 1 + (++seed * 7) % 90;
          c.seed = seed, c.pad = static_cast<std::int64_t>(seed % 3);
          Problem problem(c);
          Gemm plan;
          ASSERT_TRUE(problem.make_plan(*kernel, &plan));
          for (std::int64_t m = 1; m <= c.m; ++m) ASSERT_TRUE(problem.check(plan, m));
        }
  }
}

TEST_P(EveryTile, OfInt8) {
  for (Type a : {Type::u8, Type::s8, Type::f32, Type::s4})
    ASSERT_NO_FATAL_FAILURE(check_tiles(GetParam(), Type::s8, Sums::integers, {.a = a}));
}

TEST_P(EveryTile, OfInt4) {
  for (Type b : {Type::s4, Type::u4})
    for (Type a : {Type::u8, Type::s8, Type::f32, Type::u4})
      ASSERT_NO_FATAL_FAILURE(check_tiles(GetParam(), Type::u4, Sums::integers, {.a = a, .b = b}));
}

TEST_P(EveryTile, OfBits) {
  for (Type a : {Type::b1, Type::u8})
    ASSERT_NO_FATAL_FAILURE(check_tiles(GetParam(), Type::b1, Sums::bits, {.a = a, .b = Type::b1}));
}

TEST_P(EveryTile, OfBitWeights) {
  for (Type a : {Type::u8, Type::s8, Type::f32, Type::s4, Type::u4})
    ASSERT_NO_FATAL_FAILURE(check_tiles(GetParam(), Type::b1, Sums::integers, {.a = a, .b = Type::b1, .operand = Type::s8}));
}

/// Those that read A in pieces: an image of a row of so many windows of two taps.
TEST_P(EveryTile, OfConvolutions) {
  for (Type operand : {Type::b1, Type::s8})
    for (const Kernel* kernel : rows_of(GetParam(), Type::b1, operand == Type::b1 ? Sums::bits : Sums::integers)) {
      const Geometry& g = kernel->geometry;
      if (!kernel->to_sums.indirect) continue;
      for (int panels = 1; panels <= g.max_panels; ++panels)
        for (int rows = 1; rows <= g.max_rows[panels - 1]; ++rows)
          for (Type c : {Type::s32, Type::f32, Type::b1}) {
            if (c == Type::b1 && g.nr % 8 != 0) continue;
            ConvOptions options{operand == Type::b1 ? Padding::minus_one : Padding::zero, c};
            if (operand == Type::s8) options.a = Type::u8, options.operand = operand;
            ConvProblem problem({1, 1, rows + 1, 40, panels * g.nr - rows % 2, 1, 2}, options);
            problem.desc().gemm.residual = Type::none;  // what tiles leave to the epilogue
            problem.desc().gemm.activation = Activation::none;
            ASSERT_EQ(problem.check(GetParam()), "");
          }
    }
}

}  // namespace
}  // namespace narrow::test
