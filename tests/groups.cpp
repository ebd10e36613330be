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

/// Groups so long that sums of their high nibbles times 16 (see group_tile.h) just stay in int32. Weights are up to 16 away
/// from their zero points.
constexpr std::int64_t longest = INT32_MAX / (16 * 128 * 16) / 8 * 8;

/// One row of the largest values over such groups. (Where zero points are floats, u4 counts from 0.)
TEST_P(Groups, OneRowOfLongGroups) {
  constexpr std::int64_t longest_from_0 = INT32_MAX / (15 * 128 * 16) / 8 * 8;
  for (Type b : {Type::s4, Type::u4})
    for (const Kernel* kernel : kernels_for(GetParam(), b))
      for (Fill a_fill : {Fill::lowest, Fill::highest})
        for (Type zero_point : {Type::none, Type::f32})
          for (std::int64_t group : {longest, longest + 8, longest_from_0, longest_from_0 + 8}) {
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

/// The same with weights as far from their zero points as they come: those of GPTQ are 1..16.
TEST_P(Groups, OneRowFarFromZeroPoints) {
  constexpr std::int64_t n = 72;
  for (std::int64_t group : {longest, longest + 8}) {
    const std::int64_t k = group + 8;  // and one that is short
    const std::vector<std::uint32_t> data(static_cast<std::size_t>(k / 8 * n)), zero_point(2 * n / 8, 0xffffffff);
    const std::vector<float> scale(2 * n, 1.0f);
    WeightsDesc w;
    w.type = Type::u4;
    w.layout = Layout::gptq;
    w.k = k;
    w.n = n;
    w.data = data.data();
    w.groups = {group, scale.data(), Type::f32, zero_point.data(), Type::u4};
    w.cap = GetParam();
    const Packed p = packed(w);
    ASSERT_TRUE(p.status.ok()) << p.status.reason;
    GemmDesc d;
    d.a = Type::s8;
    d.c = Type::f32;
    d.cap = GetParam();
    Gemm plan;
    ASSERT_TRUE(Gemm::plan(d, p.weights, &plan).ok());
    const std::vector<std::int8_t> a(static_cast<std::size_t>(k), -128);
    std::vector<float> c(n);
    GemmArgs args;
    args.m = 1;
    args.a = a.data();
    args.a_stride = k;
    args.c = c.data();
    args.c_stride = n;
    for (From from : {From::caches, From::memory}) {
      read(&plan, from);
      ASSERT_TRUE(plan.run(args).ok());
      for (float x : c) ASSERT_EQ(x, static_cast<float>(-128 * -16 * k)) << group;
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

}  // namespace
}  // namespace narrow::test
