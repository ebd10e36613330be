// Weights of bits for A of bytes (and floats quantized to bytes), on every kernel row of every tier.
#include "src/driver.h"
#include "tests/all_pairs.h"
#include "tests/parallels.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class BinaryWeights : public TierTest {};
NARROW_FOR_EACH_TIER(BinaryWeights);

std::vector<const Kernel*> kernels(Tier tier) { return rows_of(tier, Type::b1, Sums::integers); }

Case of(std::int64_t m, std::int64_t n, std::int64_t k, Type a) {
  Case c{.m = m, .n = n, .k = k, .a = a, .b = Type::b1, .operand = Type::s8};
  c.seed = static_cast<std::uint64_t>((m * 1000 + n) * 1000 + k);
  c.edge = c.seed % 3 == 0 ? Edge::front : Edge::back;
  c.pad = c.seed % 2 == 0 ? 0 : 3;
  return c;
}

TEST_P(BinaryWeights, RowsAreWellFormed) {
  if (GetParam() == Tier::generic) {
    EXPECT_FALSE(kernels(GetParam()).empty());
  }
  for (const Kernel* kernel : kernels(GetParam())) {
    const Geometry& g = kernel->geometry;
    EXPECT_EQ(g.b_bits, 1);
    EXPECT_NE(g.a, Type::b1);
    EXPECT_EQ(g.nr % 8, 0) << "a panel's bits of C are whole bytes";
    EXPECT_EQ(32 % g.k_unit, 0);
    EXPECT_NE(kernel->to_sums.indirect, nullptr);
  }
}

TEST_P(BinaryWeights, EveryRowCount) {
  for (const Kernel* kernel : kernels(GetParam())) {
    const Geometry& g = kernel->geometry;
    const int mr = *std::max_element(g.max_rows, g.max_rows + max_tile_panels);
    for (int panels = 1; panels <= g.max_panels; ++panels)
      for (std::int64_t k : {1, 64, 67, 167}) {
        const Type of_4_bits = panels % 2 ? Type::s4 : Type::u4, of_8_bits = panels % 2 ? Type::u8 : Type::s8;
        Problem problem(of(2 * mr + 1, panels * g.nr - (k == 167), k, k == 67 ? of_4_bits : of_8_bits));
        Gemm plan;
        ASSERT_TRUE(problem.make_plan(*kernel, &plan));
        for (int m = 1; m <= 2 * mr + 1; ++m) ASSERT_TRUE(problem.check(plan, m));
      }
  }
}

TEST_P(BinaryWeights, EveryColumnCount) {
  for (const Kernel* kernel : kernels(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (std::int64_t n = 1; n <= g.max_panels * g.nr + 1; ++n)
      ASSERT_TRUE(Problem(of(1 + n % 7, n, 67, n % 2 ? Type::u8 : Type::s8)).check(*kernel));
  }
}

/// So many rows that the bits become values once for all of them.
TEST_P(BinaryWeights, UnpackedColumns) {
  for (const Kernel* kernel : kernels(GetParam())) {
    if (!kernel->unpacking.run) continue;
    const Geometry& g = kernel->unpacking.geometry;
    const int from = kernel->unpacking.from_rows;
    for (int n : {1, g.nr + 1, 2 * g.max_panels * g.nr + 3})
      for (std::int64_t k : {1, 31, 34, 67, 167})
        for (Type a : {Type::u8, Type::s8, Type::u4}) {
          Problem problem(of(from + max_tile_rows, n, k, a));
          Gemm plan;
          ASSERT_TRUE(problem.make_plan(*kernel, &plan));
          GemmAccess::product(plan).unpack_rows = from;
          for (int m = from - 1; m <= from + max_tile_rows; ++m) ASSERT_TRUE(problem.check(plan, m));
        }
  }
}

TEST_P(BinaryWeights, EveryK) {
  for (const Kernel* kernel : kernels(GetParam()))
    for (std::int64_t k = 0; k <= 200; ++k)
      for (Type a : {Type::u8, Type::s8, Type::u4, Type::s4})
        ASSERT_TRUE(Problem(of(1 + k % 5, kernel->geometry.nr + 1, k, a)).check(*kernel));
}

TEST_P(BinaryWeights, ExtremeValues) {
  for (const Kernel* kernel : kernels(GetParam()))
    for (Type a : {Type::u8, Type::s8, Type::u4, Type::s4})
      for (Fill a_fill : {Fill::lowest, Fill::highest, Fill::extremes})
        for (Fill b_fill : {Fill::lowest, Fill::highest, Fill::extremes}) {
          Case c = of(7, 19, 4000, a);
          c.a_fill = a_fill, c.b_fill = b_fill;
          ASSERT_TRUE(Problem(c).check(*kernel));
        }
}

TEST_P(BinaryWeights, Larger) {
  const std::int64_t shapes[][3] = {{1, 3, 100001}, {2, 700, 3330}, {77, 130, 5150}, {9, 64, 32768}};
  for (const Kernel* kernel : kernels(GetParam()))
    for (const auto& [m, n, k] : shapes) {
      Problem problem(of(m, n, k, Type::u8));
      Gemm plan;
      ASSERT_TRUE(problem.make_plan(*kernel, &plan));
      for (int threads : {1, 2, 3, 8})
        ASSERT_TRUE(problem.check(plan, m, {threads, schedules[0].for_each, nullptr})) << threads;
    }
}

TEST_P(BinaryWeights, Epilogues) {
  const std::vector<Type> a_types = {Type::u8, Type::s8, Type::u4, Type::s4, Type::f32, Type::bf16, Type::f16};
  const std::vector<Type> c_types = {Type::s32, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8, Type::b1};
  const auto case_of = [&](const std::vector<int>& row) {
    Case c = of(1, 1, 1, a_types[row[0]]);
    c.a_scale = static_cast<Given>(row[1]);
    c.b_scale = static_cast<Given>(row[2]);
    c.c = c_types[row[3]];
    c.bias = static_cast<Bias>(row[4]);
    c.a_zero_point = static_cast<Given>(row[5]);
    c.dynamic = static_cast<Dynamic>(row[6]);
    c.requantize = static_cast<Requantize>(row[7]);
    return c;
  };
  Rng rng(4);
  std::uint64_t seed = 0;
  int checked = 0;
  for (const auto& row : all_pairs({7, 3, 3, 7, 3, 3, 2, 2}, rng, [&](const std::vector<int>& r) {
         const Case c = case_of(r);
         const bool rounded = c.c == Type::s8 || c.c == Type::u8;
         if (is_float(c.a) && (c.a_scale != Given::none || c.a_zero_point != Given::none)) return false;
         if ((c.c == Type::s32 || c.c == Type::b1) && c.bias == Bias::f32) return false;
         if (c.c == Type::b1 && is_float(c.a)) return false;
         return c.requantize == Requantize::float_multiplier ||
                (rounded && c.bias != Bias::f32 && c.a_scale != Given::each && !is_float(c.a));
       }))
    for (const Kernel* kernel : kernels(GetParam())) {
      Case c = case_of(row);
      c.m = 2 + static_cast<std::int64_t>(++seed % 7);
      c.n = kernel->geometry.nr * kernel->geometry.max_panels + 5;
      c.k = 1 + static_cast<std::int64_t>(seed % 167);
      c.seed = seed;
      ASSERT_TRUE(Problem(c).check(*kernel));
      ++checked;
    }
  if (!kernels(GetParam()).empty()) {
    EXPECT_GT(checked, 30);
  }
}

TEST_P(BinaryWeights, DispatchUnderACap) {
  Problem problem(of(9, 37, 50, Type::s8));
  ASSERT_TRUE(problem.check(Cap(GetParam())));
  Weights weights, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &weights).ok());
  ASSERT_TRUE(Weights::open(weights.blob(), weights.bytes(), &opened).ok());
  EXPECT_EQ(opened.type(), Type::b1);
  Gemm plan;
  problem.desc().cap = GetParam();
  ASSERT_TRUE(Gemm::plan(problem.desc(), opened, &plan).ok());
  ASSERT_TRUE(problem.check(plan, 9));
  expect_damage_is_noticed(weights);
}

TEST(BinaryWeights, WhatIsRefused) {
  Problem problem(of(3, 5, 40, Type::s8));
  Weights weights;
  Gemm plan;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  GemmDesc g = problem.desc();
  ASSERT_TRUE(Gemm::plan(g, weights, &plan).ok());
  g.a = Type::b1;
  EXPECT_EQ(Gemm::plan(g, weights, &plan).code, Code::unsupported);
  WeightsDesc d = problem.weights_desc();
  std::size_t bytes = 0;
  d.operand = Type::u8;
  EXPECT_EQ(Weights::packed_size(d, &bytes).code, Code::unsupported);
  EXPECT_EQ(max_k(Type::s8, Type::b1, false), INT32_MAX / 128);
}

}  // namespace
}  // namespace narrow::test
