// Products of weights with groups of k, on every kernel row of every tier that has one, against the naive decoder.
#include "src/cpu.h"
#include "src/driver.h"
#include "src/gemm.h"
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Groups : public TierTest {};
NARROW_FOR_EACH_TIER(Groups);

std::vector<const Kernel*> kernels_for(Tier tier, Type b) { return rows_of(tier, packed_type(b), Sums::groups); }

/// Where B may come from, which decides what is asked for: from caches, or from memory, of a machine that is best asked for few
/// rows or of one that is not.
enum class From { caches, memory, unasked_memory, count };

void read(Gemm* plan, From from) {
  Product& p = GemmAccess::product(*plan);
  p.groups.one_row_asks = from == From::memory;
  p.unasked_rows = from == From::unasked_memory ? 2 : 0;
  p.l2_rows = from == From::unasked_memory ? max_tile_rows : 0;
}

constexpr Type weight_types[] = {Type::s4, Type::u4, Type::s8};

/// Every m up to two tiles and more, alike and not, around the edges of a panel, with short last groups.
TEST_P(Groups, Shapes) {
  for (Type b : weight_types)
    for (const Kernel* kernel : kernels_for(GetParam(), b)) {
      const int mr = kernel->geometry.max_rows[0], nr = kernel->geometry.nr;
      int trivial = 0;
      for (std::int64_t n : {1, nr - 1, nr, nr + 1, 2 * nr + 3})
        for (std::int64_t k : {1, 7, 8, 31, 32, 33, 40, 64, 100, 200})
          for (std::int64_t group : {8, 32, 40, 128}) {
            Case c{.m = 2 * mr + 1, .n = n, .k = k, .a = Type::s8, .b = b, .c = Type::f32, .group = group};
            c.seed = static_cast<std::uint64_t>(n * 1000 + k * 8 + group);
            c.order = c.seed % 3 == 0 ? Order::kn : Order::nk;
            c.edge = c.seed % 5 < 2 ? Edge::front : Edge::back;
            c.pad = c.seed % 2 == 0 ? 0 : 3;
            Problem problem(c);
            Gemm plan;
            ASSERT_TRUE(problem.make_plan(*kernel, &plan));
            read(&plan, static_cast<From>(c.seed % 7 % static_cast<std::uint64_t>(From::count)));
            for (std::int64_t m = 1; m <= c.m; ++m) ASSERT_TRUE(problem.check(plan, m));
            trivial += problem.trivial();
          }
      EXPECT_LT(trivial, 10);
    }
}

/// Every kind of scale, zero point and A together.
TEST_P(Groups, Kinds) {
  for (Type b : weight_types)
    for (const Kernel* kernel : kernels_for(GetParam(), b))
      for (Type scale : {Type::f32, Type::bf16, Type::f16})
        for (Type zero_point : {Type::none, Type::u8, b, Type::f32, Type::bf16, Type::f16})
          for (Type a : {Type::s8, Type::f32, Type::bf16, Type::f16})
            for (Given a_scale : {Given::none, Given::tensor, Given::each, Given::group})
              for (Order order : {Order::nk, Order::kn}) {
                if (zero_point == Type::s8 || (is_float(a) && (a_scale == Given::tensor || a_scale == Given::each))) continue;
                Problem problem({.m = kernel->geometry.max_rows[0] + 2,
                                 .n = kernel->geometry.nr + 3,
                                 .k = 77,
                                 .a = a,
                                 .b = b,
                                 .order = order,
                                 .a_scale = a_scale,
                                 .c = Type::f32,
                                 .bias = a_scale == Given::none ? Bias::f32 : Bias::none,
                                 .seed = 5,
                                 .group = 24,
                                 .group_scale = scale,
                                 .group_zero_point = zero_point});
                ASSERT_FALSE(problem.trivial());
                ASSERT_TRUE(problem.check(*kernel));
              }
}

/// The largest sums that a group can have, of either sign.
TEST_P(Groups, ExtremeValues) {
  for (Type b : weight_types)
    for (const Kernel* kernel : kernels_for(GetParam(), b))
      for (Fill a_fill : {Fill::lowest, Fill::highest, Fill::extremes})
        for (Fill b_fill : {Fill::lowest, Fill::highest, Fill::extremes})
          for (Type zero_point : {Type::none, Type::u8})
            for (std::int64_t group : {32, 512, 8192}) {
              Problem problem({.m = 7,
                               .n = 19,
                               .k = 8200,
                               .a = Type::s8,
                               .b = b,
                               .a_fill = a_fill,
                               .b_fill = b_fill,
                               .c = Type::f32,
                               .group = group,
                               .group_zero_point = zero_point});
              ASSERT_TRUE(problem.check(*kernel));
            }
}

/// One row of the largest values over groups so long that sums of their high nibbles times 16 (see group_tile.h) just stay in
/// int32, or just would not. (They are that large where zero points are floats, and u4 therefore counts from 0.)
TEST_P(Groups, OneRowOfLongGroups) {
  constexpr std::int64_t longest = INT32_MAX / (15 * 128 * 16) / 8 * 8;
  for (Type b : {Type::s4, Type::u4})
    for (const Kernel* kernel : kernels_for(GetParam(), b))
      for (Fill a_fill : {Fill::lowest, Fill::highest})
        for (Type zero_point : {Type::none, Type::f32})
          for (std::int64_t group : {longest, longest + 8}) {
            Problem problem({.m = 1,
                             .n = kernel->geometry.nr + 3,
                             .k = group + 40,
                             .a = Type::s8,
                             .b = b,
                             .a_fill = a_fill,
                             .b_fill = Fill::highest,
                             .c = Type::f32,
                             .group = group,
                             .group_zero_point = zero_point});
            Gemm plan;
            ASSERT_TRUE(problem.make_plan(*kernel, &plan));
            for (From from : {From::caches, From::memory}) {
              read(&plan, from);
              ASSERT_TRUE(problem.check(plan, 1));
            }
          }
}

/// So long a k that the sums of more rows than a tile's are carried from one part of it to the next, which begins with a group.
TEST_P(Groups, CarriedSums) {
  for (Type b : weight_types)
    for (const Kernel* kernel : kernels_for(GetParam(), b)) {
      const Geometry& g = kernel->geometry;
      const std::int64_t m = g.max_rows[0] + 1, l2 = l2_bytes(), k = l2 / 4 * (is_4bit(b) ? 2 : 1) / g.nr + 3;
      const struct {
        std::int64_t group;
        Given a_scale;
        Type zero_point;
      } variants[] = {{40, Given::group, Type::u8},
                      {40, Given::none, Type::none},
                      {256, Given::none, Type::f16},
                      {256, Given::group, Type::none}};
      for (const auto& v : variants) {
        Problem problem({.m = m,
                         .n = g.nr + 1,
                         .k = k,
                         .a = Type::s8,
                         .b = b,
                         .a_scale = v.a_scale,
                         .c = Type::f32,
                         .seed = 5,
                         .group = v.group,
                         .group_scale = Type::f16,
                         .group_zero_point = v.zero_point});
        ASSERT_TRUE(problem.check(*kernel));
        Gemm plan;
        ASSERT_TRUE(problem.make_plan(*kernel, &plan));
        const Product& p = GemmAccess::product(plan);
        ASSERT_LT(blocking(p, m, 1).kc, p.k_padded);
        ASSERT_EQ(blocking(p, m, 1).kc % v.group, 0);
        ASSERT_EQ(blocking(p, m - 1, 1).kc, p.k_padded);
        ASSERT_TRUE(problem.check(plan, m - 1));
      }
    }
}

/// Such k that a strip of one panel needs no passes, where one of all panels that there may be would.
TEST_P(Groups, NarrowStrips) {
  for (Type b : weight_types)
    for (const Kernel* kernel : kernels_for(GetParam(), b)) {
      const Geometry& g = kernel->geometry;
      const std::int64_t m = g.max_rows[0] + 1, k = l2_bytes() / 6 * (is_4bit(b) ? 2 : 1) / g.nr;
      Problem problem({.m = m, .n = 2 * g.nr + 1, .k = k, .a = Type::s8, .b = b, .c = Type::f32, .seed = 7, .group = 256});
      Gemm plan;
      ASSERT_TRUE(problem.make_plan(*kernel, &plan));
      const Blocking blocks = blocking(GemmAccess::product(plan), m, 1);
      ASSERT_EQ(blocks.strip_panels, 1);
      ASSERT_EQ(blocks.kc, GemmAccess::product(plan).k_padded);
      ASSERT_TRUE(problem.check(plan, m));
    }
}

TEST_P(Groups, Outputs) {
  for (Type b : weight_types)
    for (const Kernel* kernel : kernels_for(GetParam(), b))
      for (Type c : {Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8})
        for (Activation activation : {Activation::none, Activation::relu, Activation::clamp, Activation::leaky_relu,
                                      Activation::gelu, Activation::silu})
          for (Type residual : {Type::none, c, Type::f16, Type::s8})
            for (bool accumulate : {false, true}) {
              if (accumulate && (c == Type::s8 || c == Type::u8)) continue;
              Problem problem({.m = 9,
                               .n = 37,
                               .k = 70,
                               .a = residual == Type::s8 ? Type::s8 : Type::f32,
                               .b = b,
                               .c = c,
                               .bias = Bias::f32,
                               .accumulate = accumulate,
                               .residual = residual,
                               .activation = activation,
                               .pad = 2,
                               .group = 32});
              ASSERT_TRUE(problem.check(*kernel));
            }
}

/// A with NaN, infinities, denormals and huge values.
TEST_P(Groups, SpecialValues) {
  for (const Kernel* kernel : kernels_for(GetParam(), Type::u4))
    for (Type a : {Type::f32, Type::bf16, Type::f16})
      for (Given a_scale : {Given::none, Given::group})
        for (Type c : {Type::f32, Type::s8}) {
          Problem problem({.m = 40,
                           .n = 19,
                           .k = 70,
                           .a = a,
                           .b = Type::u4,
                           .float_fill = FloatFill::special,
                           .a_scale = a_scale,
                           .c = c,
                           .group = 32,
                           .group_zero_point = Type::u4});
          ASSERT_TRUE(problem.check(*kernel));
        }
}

/// Beyond one block, with threads of all kinds; every thread count gives what the reference gives.
TEST_P(Groups, ThreadsAndBlocks) {
  for (const Kernel* kernel : kernels_for(GetParam(), Type::s4))
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 700, 3001}, {3, 700, 3001}, {150, 130, 520}}) {
      Problem problem({.m = m,
                       .n = n,
                       .k = k,
                       .a = Type::f32,
                       .b = Type::s4,
                       .c = Type::f32,
                       .bias = Bias::f32,
                       .group = 32,
                       .group_scale = Type::f16});
      Gemm plan;
      ASSERT_TRUE(problem.make_plan(*kernel, &plan));
      if (k > 3000) {
        ASSERT_GT(blocking(GemmAccess::product(plan), m, 8).threads, 1);
      }
      for (int threads : {1, 2, 3, 8})
        for (const Schedule& schedule : schedules)
          ASSERT_TRUE(problem.check(plan, m, {threads, schedule.for_each, nullptr})) << schedule.name;
      ASSERT_TRUE(problem.check(plan, m, {3, thread_for_each_task, nullptr}));
    }
}

/// Packing on several threads, dispatch under the cap, and the blob at another address.
TEST_P(Groups, DispatchUnderACap) {
  for (Type b : weight_types) {
    Problem problem({.m = 9, .n = 137, .k = 50, .a = Type::f32, .b = b, .c = Type::f32, .group = 16});
    ASSERT_TRUE(problem.check(Cap(GetParam()), {3, thread_for_each_task, nullptr}));
    Weights packed, opened;
    ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
    EXPECT_LE(packed.tier(), GetParam());
    Guarded copy(packed.bytes(), Weights::alignment);
    std::memcpy(copy.data(), packed.blob(), packed.bytes());
    ASSERT_TRUE(Weights::open(copy.data(), copy.size(), &opened).ok());
    EXPECT_EQ(opened.type(), b);
    Gemm plan;
    ASSERT_TRUE(Gemm::plan(problem.desc(), opened, &plan).ok());
    EXPECT_TRUE(problem.check(plan, 9));
    EXPECT_EQ(*plan.info().why_not_better == 0, packed.tier() == machine_tier()) << plan.info().why_not_better;
    expect_damage_is_noticed(opened);
    EXPECT_EQ(Weights::open(copy.data(), copy.size() - 64, &opened).code, Code::bad_weights);
  }
}

TEST_P(Groups, EmptyOnes) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {0, 0, 0}, {1, 70, 0}})
    for (Type c : {Type::f32, Type::s8}) {
      Problem problem({.m = m, .n = n, .k = k, .a = Type::f32, .b = Type::s4, .c = c, .bias = Bias::f32, .group = 32});
      ASSERT_TRUE(problem.check(Cap(GetParam())));
    }
}

/// What groups do not go together with, and arrays that are wrong in one place.
TEST(GroupArguments, AreChecked) {
  std::vector<std::uint8_t> data(64 * 8), zero_point(16);
  std::vector<float> scale(16, 1.0f);
  WeightsDesc good;
  good.type = Type::u4;
  good.k = 64;
  good.n = 8;
  good.data = data.data();
  good.groups = {32, scale.data(), Type::f32, zero_point.data(), Type::u8};
  auto code = [](const WeightsDesc& d) { return packed(d).status.code; };
  auto changed = [&](auto change) {
    WeightsDesc d = good;
    change(d);
    return code(d);
  };
  const Code invalid = Code::invalid_argument, unsupported = Code::unsupported;
  EXPECT_EQ(code(good), Code::ok);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.groups.size = 12; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.groups.size = -8; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.type = Type::b1; }), unsupported);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.groups.scale = nullptr; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.groups.scale_type = Type::s8; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.groups.zero_point_type = Type::s32; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.groups.zero_point_type = Type::s4; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.stride = 65; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.stride = 62; }), invalid);
  EXPECT_EQ(changed([](WeightsDesc& d) { d.data = nullptr; }), invalid);
  zero_point[15] = 16;
  EXPECT_EQ(code(good), invalid);
  zero_point[15] = 15;
  scale[15] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(code(good), invalid);
  scale[15] = 1;
  std::vector<float> float_zero_point(16, 7.5f);
  const auto with_floats = [&](WeightsDesc& d) { d.groups.zero_point = float_zero_point.data(), d.groups.zero_point_type = Type::f32; };
  EXPECT_EQ(changed(with_floats), Code::ok);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    float_zero_point[15] = bad;
    EXPECT_EQ(changed(with_floats), invalid);
  }

  const Packed p = packed(good);
  ASSERT_TRUE(p.status.ok()) << p.status.reason;
  Weights weights = p.weights;
  auto planned = [&](auto change) {
    GemmDesc d;
    d.a = Type::s8;
    d.c = Type::f32;
    change(d);
    Gemm plan;
    return Gemm::plan(d, weights, &plan).code;
  };
  const std::int32_t bias[8] = {};
  EXPECT_EQ(planned([](GemmDesc&) {}), Code::ok);
  EXPECT_EQ(planned([](GemmDesc& d) { d.c = Type::s32; }), unsupported);
  EXPECT_EQ(planned([](GemmDesc& d) {
              static const std::int32_t threshold[8] = {};
              d.c = Type::b1, d.threshold = threshold;
            }),
            unsupported);
  EXPECT_EQ(planned([](GemmDesc& d) { d.a = Type::u8; }), unsupported);
  EXPECT_EQ(planned([](GemmDesc& d) { d.a_zero_point = 1; }), unsupported);
  EXPECT_EQ(planned([](GemmDesc& d) { d.a_zero_point_per = Per::row; }), unsupported);
  EXPECT_EQ(planned([](GemmDesc& d) { d.a = Type::f32, d.dynamic = Dynamic::asymmetric; }), unsupported);
  EXPECT_EQ(planned([&](GemmDesc& d) { d.bias_s32 = bias; }), unsupported);
  Problem plain({.m = 1, .n = 6, .k = 8});
  ASSERT_TRUE(plain.pack(Cap{}, &weights).ok());
  EXPECT_EQ(planned([](GemmDesc& d) { d.a_scale_per = Per::group; }), invalid);

  Problem problem({.m = 2, .n = 6, .k = 80, .a = Type::s8, .a_scale = Given::group, .c = Type::f32, .group = 32});
  Gemm plan;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
  GemmArgs args = problem.args();
  std::vector<float> scales(6, 1.0f);
  args.a_scale = scales.data();
  EXPECT_TRUE(plan.run(args).ok());
  scales[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(plan.run(args).code, invalid);
  args.a_scale = nullptr;
  EXPECT_EQ(plan.run(args).code, invalid);
}

/// A group so long that its sum could leave int32.
TEST(GroupArguments, OverflowIsRefused) {
  const struct {
    Type b;
    std::int64_t size;
    Code code;
  } cases[] = {{Type::s8, 65792, Code::ok},   {Type::s8, 65800, Code::overflow},    // 2^31 / (255 * 128)
               {Type::s4, 1048568, Code::ok}, {Type::s4, 1048576, Code::overflow},  // 2^31 / (16 * 128): zero points up to 16
               {Type::u4, 1048568, Code::ok}, {Type::u4, 1048576, Code::overflow}};
  const float scale[2] = {1, 1};
  for (const auto& [b, size, code] : cases) {
    const std::vector<std::uint8_t> data(static_cast<std::size_t>(size + 8));
    WeightsDesc d;
    d.type = b;
    d.k = size + 8;
    d.n = 1;
    d.data = data.data();
    d.groups.size = size;
    d.groups.scale = scale;
    const Packed p = packed(d);
    ASSERT_TRUE(p.status.ok()) << p.status.reason;
    GemmDesc g;
    g.a = Type::s8;
    g.c = Type::f32;
    Gemm plan;
    EXPECT_EQ(Gemm::plan(g, p.weights, &plan).code, code) << name(b) << ' ' << size;
  }
}

}  // namespace
}  // namespace narrow::test
