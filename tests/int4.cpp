// Products of weights of 4 bits with one scale for each column, and of A of 4 bits, on every kernel row of every tier.
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Int4 : public TierTest {};
NARROW_FOR_EACH_TIER(Int4);

std::vector<const Kernel*> kernels_for(Tier tier) { return rows_of(tier, Type::u4); }

/// Every m up to two tiles of any width and more, around the edges of panels and of steps of k.
TEST_P(Int4, Shapes) {
  for (const Kernel* kernel : kernels_for(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (Type b : {Type::s4, Type::u4})
      for (int panels = 1; panels <= g.max_panels; ++panels)
        for (std::int64_t n : {panels * g.nr - 1, panels * g.nr})
          for (std::int64_t k : {1, 7, 8, 9, 31, 32, 65, 130}) {
            Case c{.m = 2 * g.max_rows[panels - 1] + 1, .n = n, .k = k, .a = Type::s8, .b = b};
            c.seed = static_cast<std::uint64_t>(n * 1000 + k * 8);
            c.order = c.seed % 3 == 0 ? Order::kn : Order::nk;
            c.edge = c.seed % 5 < 2 ? Edge::front : Edge::back;
            c.pad = c.seed % 2 == 0 ? 0 : 3;
            Problem problem(c);
            Gemm plan;
            ASSERT_TRUE(problem.make_plan(*kernel, &plan));
            for (std::int64_t m = 1; m <= c.m; m += m < 3 ? 1 : 2) ASSERT_TRUE(problem.check(plan, m));
          }
  }
}

/// Every type of A with every kind of zero point and scale.
TEST_P(Int4, Kinds) {
  for (const Kernel* kernel : kernels_for(GetParam()))
    for (Type b : {Type::s4, Type::u4})
      for (Type a : {Type::s8, Type::u8, Type::s4, Type::u4, Type::f32, Type::bf16, Type::f16})
        for (Given b_zero_point : {Given::none, Given::tensor, Given::each})
          for (Given a_zero_point : {Given::none, Given::tensor, Given::each})
            for (Dynamic dynamic : {Dynamic::symmetric, Dynamic::asymmetric})
              for (Type c : {Type::s32, Type::f32, Type::s8}) {
                if (c == Type::s8 && (a_zero_point != Given::none || b_zero_point != Given::none)) continue;  // saturates
                if (is_float(a) ? a_zero_point != Given::none || c == Type::s32 : dynamic == Dynamic::asymmetric) continue;
                Problem problem({.m = 9,
                                 .n = 2 * kernel->geometry.nr + 3,
                                 .k = 77,
                                 .a = a,
                                 .b = b,
                                 .dynamic = dynamic,
                                 .a_zero_point = a_zero_point,
                                 .b_zero_point = b_zero_point,
                                 .b_scale = Given::each,
                                 .c = c});
                ASSERT_FALSE(problem.trivial()) << problem.options();
                ASSERT_TRUE(problem.check(*kernel));
              }
}

TEST_P(Int4, ExtremeValues) {
  for (const Kernel* kernel : kernels_for(GetParam()))
    for (Type b : {Type::s4, Type::u4})
      for (Type a : {Type::s8, Type::u8, Type::s4, Type::u4})
        for (Fill a_fill : {Fill::lowest, Fill::highest, Fill::extremes})
          for (Fill b_fill : {Fill::lowest, Fill::highest, Fill::extremes}) {
            Problem problem({.m = 7, .n = 19, .k = 20000, .a = a, .b = b, .a_fill = a_fill, .b_fill = b_fill});
            ASSERT_TRUE(problem.check(*kernel));
          }
}

/// All that follows the sums is int8's, bits of C included.
TEST_P(Int4, Outputs) {
  for (Type b : {Type::s4, Type::u4})
    for (Type c : {Type::s32, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8, Type::b1})
      for (Activation activation : {Activation::none, Activation::clamp, Activation::gelu})
        for (bool extra : {false, true}) {
          if (activation != Activation::none && (c == Type::s32 || c == Type::b1)) continue;
          const bool is_8bit = c == Type::s8 || c == Type::u8;
          Problem problem({.m = 9,
                           .n = 37,
                           .k = 70,
                           .a = extra ? Type::s4 : Type::u8,
                           .b = b,
                           .b_scale = Given::each,
                           .c = c,
                           .bias = extra ? Bias::s32 : Bias::none,
                           .accumulate = extra && c != Type::b1 && !is_8bit,
                           .residual = extra && c != Type::s32 && c != Type::b1 ? Type::f16 : Type::none,
                           .activation = activation,
                           .pad = 2});
          ASSERT_TRUE(problem.check(Cap(GetParam())));
        }
  Problem fixed({.m = 9,
                 .n = 37,
                 .k = 70,
                 .a = Type::s8,
                 .b = Type::s4,
                 .c = Type::u8,
                 .bias = Bias::s32,
                 .requantize = Requantize::fixed_point,
                 .multiplier = Given::each});
  ASSERT_TRUE(fixed.check(Cap(GetParam())));
}

/// A of 4 bits with int8 weights, and with groups.
TEST_P(Int4, ActivationsOf4Bits) {
  for (Type a : {Type::s4, Type::u4})
    for (std::int64_t pad : {0, 1})
      for (Given scale : {Given::tensor, Given::each, Given::group})
        for (Type b : {Type::s8, Type::s4, Type::u4}) {
          Problem grouped(
              {.m = 11, .n = 37, .k = 75, .a = a, .b = b, .a_scale = scale, .c = Type::f32, .pad = pad, .group = 24});
          ASSERT_TRUE(grouped.check(Cap(GetParam())));
          if (scale == Given::group) continue;
          Problem whole({.m = 11, .n = 37, .k = 75, .a = a, .b = b, .a_scale = scale, .c = Type::f32, .pad = pad});
          ASSERT_TRUE(whole.check(Cap(GetParam())));
        }
}

TEST_P(Int4, ThreadsBlocksAndBatches) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 300, 9000}, {3, 700, 333}, {150, 130, 520}})
    for (Type a : {Type::s8, Type::s4}) {
      Problem problem({.m = m, .n = n, .k = k, .a = a, .b = Type::s4, .c = Type::s32});
      Weights packed;
      Gemm plan;
      ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed, {3, thread_for_each_task, nullptr}).ok());
      ASSERT_TRUE(Gemm::plan(problem.desc(), packed, &plan).ok());
      for (int threads : {1, 2, 3, 8})
        for (const Schedule& schedule : schedules)
          ASSERT_TRUE(problem.check(plan, m, {threads, schedule.for_each, nullptr})) << schedule.name;
      if (m % 3 != 0) continue;
      problem.reset_c();  // the rows as three items of a strided batch
      GemmArgs args = problem.args();
      args.m = m / 3;
      Guarded scratch(plan.scratch_size(args.m), Gemm::scratch_alignment);
      ASSERT_TRUE(
          plan.run_strided(args, 3, args.m * args.a_stride, args.m * args.c_stride, 0, scratch.data(), scratch.size()).ok());
      ASSERT_TRUE(problem.compare(plan.info().kernel, m));
    }
}

/// The longest k that is always exact, and one more: of nibbles, and of floats that become them.
TEST(Int4Arguments, Overflow) {
  const std::int64_t limit = max_k(Type::u8, Type::u4, true);
  for (Type data_type : {Type::none, Type::f32})
    for (std::int64_t k : {limit, limit + 1}) {
      const std::vector<std::uint8_t> nibbles(static_cast<std::size_t>(k + 1) / 2, 0xff);
      const std::vector<float> ones(static_cast<std::size_t>(k), 1.0f);  // 15 times a scale, over the zero point 0
      WeightsDesc d;
      d.type = Type::u4;
      d.k = k;
      d.n = 1;
      d.data = data_type == Type::none ? static_cast<const void*>(nibbles.data()) : ones.data();
      d.data_type = data_type;
      const std::int32_t zero = 0;
      d.zero_point = &zero;
      const Packed p = packed(d);
      ASSERT_TRUE(p.status.ok()) << p.status.reason;
      Gemm plan;
      ASSERT_EQ(Gemm::plan({}, p.weights, &plan).code, k == limit ? Code::ok : Code::overflow);
      if (k != limit) continue;
      const std::vector<std::uint8_t> a(static_cast<std::size_t>(k), 255);
      std::int32_t c = 0;
      GemmArgs args;
      args.m = 1;
      args.a = a.data();
      args.a_stride = k;
      args.c = &c;
      args.c_stride = 1;
      ASSERT_TRUE(plan.run(args).ok());
      EXPECT_EQ(c, k * 255 * 15);
    }
}

TEST(Int4Arguments, AreChecked) {
  const std::vector<std::uint8_t> data(64);
  std::int32_t zero_point = 0;
  WeightsDesc good;
  good.type = Type::s4;
  good.k = 10;
  good.n = 4;
  good.data = data.data();
  good.zero_point = &zero_point;
  for (const auto& [type, value, expected] : {std::tuple{Type::s4, -8, Code::ok},
                                              {Type::s4, 7, Code::ok},
                                              {Type::s4, -9, Code::invalid_argument},
                                              {Type::s4, 8, Code::invalid_argument},
                                              {Type::u4, 15, Code::ok},
                                              {Type::u4, 16, Code::invalid_argument},
                                              {Type::u4, -1, Code::invalid_argument}}) {
    good.type = type;
    zero_point = value;
    EXPECT_EQ(packed(good).status.code, expected) << value;
  }
  good.type = Type::s4;
  zero_point = 1;
  WeightsDesc odd = good;
  odd.stride = 11;
  EXPECT_EQ(packed(odd).status.code, Code::invalid_argument);
  const Packed p = packed(good);
  ASSERT_TRUE(p.status.ok()) << p.status.reason;

  GemmDesc d;
  Gemm plan;
  d.a = Type::s4;
  d.a_zero_point = 8;
  EXPECT_EQ(Gemm::plan(d, p.weights, &plan).code, Code::invalid_argument);
  d.a_zero_point = -8;
  ASSERT_TRUE(Gemm::plan(d, p.weights, &plan).ok());
  std::int32_t c[4];
  GemmArgs args;
  args.m = 1;
  args.a = data.data();
  args.c = c;
  args.c_stride = 4;
  args.a_stride = 11;
  EXPECT_EQ(plan.run(args).code, Code::invalid_argument);
  args.a_stride = 10;
  EXPECT_TRUE(plan.run(args).ok());
}

}  // namespace
}  // namespace narrow::test
