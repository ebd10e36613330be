// Products of bits, on every kernel row of every tier: all shapes around the tiles, what becomes bits, what is refused.
#include <algorithm>

#include "narrow/conv.h"
#include "src/blocking.h"
#include "src/cpu.h"
#include "tests/check_rows.h"
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Binary : public TierTest {};
NARROW_FOR_EACH_TIER(Binary);

TEST_P(Binary, RowsAreWellFormed) {
  const auto rows = rows_of(GetParam(), Type::b1, Sums::bits);
  if (GetParam() == Tier::generic) {
    ASSERT_GE(rows.size(), 2u);
  }
  for (const Kernel* kernel : rows) {
    SCOPED_TRACE(kernel->name);
    const Geometry& g = kernel->geometry;
    EXPECT_EQ(kernel->tier, GetParam());
    EXPECT_EQ(g.a, Type::b1);
    EXPECT_EQ(g.row_group, 1);
    EXPECT_EQ(g.k_unit % 4, 0);
    EXPECT_EQ(g.k_unit % g.kr, 0);
    ASSERT_LE(g.max_panels, max_tile_panels);
    EXPECT_LE(g.max_panels * g.nr, max_tile_cols);
    EXPECT_EQ(g.nr % 8, 0) << "a panel's bits of C are whole bytes";
    for (int p = 0; p < max_tile_panels; ++p) {
      EXPECT_EQ(g.max_rows[p] > 0, p < g.max_panels);
      for (const TileSet& set : {kernel->to_sums, kernel->to_reals, kernel->to_bits})
        for (TileTable tiles : {set.plain, set.indirect})
          for (int r = 0; tiles && r < max_tile_rows; ++r)
            EXPECT_EQ(tiles[p][r] != nullptr, r < g.max_rows[p]) << p << ',' << r;
    }
  }
}

TEST_P(Binary, EveryRowCount) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    const Geometry& g = kernel->geometry;
    const int mr = *std::max_element(g.max_rows, g.max_rows + max_tile_panels);
    for (int panels = 1; panels <= g.max_panels + 1; ++panels)
      for (std::int64_t n : {panels * g.nr - 1, panels * g.nr})
        for (std::int64_t k : {1, 33, 224, 500})
          for (Type type : {Type::s32, Type::b1}) {
            Case c = bits(1, n, k);
            c.c = type;
            ASSERT_NO_FATAL_FAILURE(check_rows(c, *kernel, up_to(2 * mr + 1)));
          }
  }
}

TEST_P(Binary, EveryColumnCount) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    const Geometry& g = kernel->geometry;
    for (std::int64_t n = 1; n <= 2 * g.max_panels * g.nr + 1; ++n)
      ASSERT_NO_FATAL_FAILURE(check_rows(bits(1, n, 67), *kernel, {1, 2, g.max_rows[0], g.max_rows[0] + 1}));
  }
}

TEST_P(Binary, EveryK) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    const Geometry& g = kernel->geometry;
    for (std::int64_t k = 0; k <= 600; k += k < 300 ? 1 : 13)
      for (std::int64_t n : {1, g.nr + 1})
        ASSERT_NO_FATAL_FAILURE(check_rows(bits(1, n, k), *kernel, {1, 2, g.max_rows[0] + 1}));
  }
}

/// Rows that end in padding beyond their last line.
TEST_P(Binary, LongRowsWithAnEnd) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits))
    for (std::int64_t k : {8160, 8170, 16352}) ASSERT_NO_FATAL_FAILURE(check_rows(bits(1, 20, k), *kernel, {1, 3, 7}));
}

/// Few rows of a B in the L2 cache, which some kernels take a panel at a time.
TEST_P(Binary, FewRowsFromTheL2Cache) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    const Geometry& g = kernel->geometry;
    const std::int64_t panels = g.max_panels + 2, k = 8 * divide_up(4096, g.nr);
    ASSERT_TRUE(best_as_one_stream(bytes_of_panel(g, k / 8), bytes_of_panel(g, k / 8) * panels, l2_bytes()));
    for (std::int64_t n : {panels * g.nr, panels * g.nr - 5})
      for (std::int64_t more : {0, 8, 33, 100})
        for (Type type : {Type::s32, Type::f32, Type::s8, Type::b1}) {
          Case c = bits(1, n, k + more);
          c.c = type;
          ASSERT_NO_FATAL_FAILURE(check_rows(c, *kernel, {1, 2, 3}));
        }
  }
}

/// All bits alike and all bits different: the counts that fill a byte, and those of a k beyond 16 bits.
TEST_P(Binary, ExtremeCounts) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits))
    for (std::int64_t k : {223, 224, 256, 2048, 70001})
      for (Fill a : {Fill::lowest, Fill::highest})
        for (Fill b : {Fill::lowest, Fill::highest, Fill::extremes}) {
          Case c = bits(7, 19, k);
          c.a_fill = a, c.b_fill = b;
          ASSERT_TRUE(Problem(c).check(*kernel));
        }
}

/// The greatest counts that there are, beside the least, over more of k than the L2 cache of this machine may give a tile.
TEST_P(Binary, LongCountsOfATile) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    SCOPED_TRACE(kernel->name);
    const Geometry& g = kernel->geometry;
    if (g.running) continue;  // rows of its own making
    const std::int64_t bytes = round_up(std::int64_t{20000}, g.k_unit);
    for (int panels = 1; panels <= g.max_panels; ++panels) {
      const int rows = g.max_rows[panels - 1], cols = panels * g.nr;
      std::vector<char> a(static_cast<std::size_t>(rows * bytes)), b(static_cast<std::size_t>(cols * bytes));
      for (int r = 0; r < rows; ++r) std::fill_n(a.begin() + r * bytes, bytes, r % 3 == 0 ? '\xff' : '\0');
      std::vector<std::int32_t> init(static_cast<std::size_t>(cols), 7), c(static_cast<std::size_t>(rows * cols));
      kernel->to_sums.plain[panels - 1][rows - 1]({.a = a.data(),
                                                   .a_stride = bytes,
                                                   .b = b.data(),
                                                   .b_stride = g.nr * bytes,
                                                   .next = b.data(),
                                                   .next_step = 0,
                                                   .steps = bytes / g.kr,
                                                   .init = init.data(),
                                                   .init_stride = 0,
                                                   .c = c.data(),
                                                   .c_stride = cols,
                                                   .cols = cols});
      for (int i = 0; i < rows * cols; ++i)
        ASSERT_EQ(c[static_cast<std::size_t>(i)], i / cols % 3 == 0 ? 7 - 16 * bytes : 7) << panels << " panels, sum " << i;
    }
  }
}

/// Shapes beyond one block, several threads, and few rows with slices of k.
TEST_P(Binary, LargerOnThreads) {
  const std::int64_t shapes[][3] = {{1, 3, 100001}, {3, 16, 270001}, {2, 700, 3330}, {77, 130, 5150}, {130, 70, 96}, {9, 64, 32768}};
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits))
    for (const auto& [m, n, k] : shapes) {
      Case c = bits(m, n, k);
      c.a_scale = c.b_scale = Given::each;
      c.c = Type::f32;
      c.bias = Bias::f32;
      for (Type type : {Type::f32, Type::s32}) {
        c.c = type;
        if (type == Type::s32) c.bias = Bias::none;
        Problem problem(c);
        Gemm plan;
        ASSERT_TRUE(problem.make_plan(*kernel, &plan));
        for (int threads : {1, 2, 3, 8}) ASSERT_TRUE(problem.check(plan, m, {threads, thread_for_each_task, nullptr})) << threads;
      }
    }
}

/// Values that become bits on the way in, with all kinds of thresholds, and a NaN here and there.
TEST_P(Binary, ValuesThatBecomeBits) {
  std::uint64_t seed = 0;
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits))
    for (Type a : {Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8})
      for (Given threshold : {Given::none, Given::tensor, Given::each})
        for (std::int64_t k : {1, 31, 32, 33, 64, 129, 500}) {
          ++seed;
          Case c = bits(1 + static_cast<std::int64_t>(seed % 9), 13 + static_cast<std::int64_t>(seed % 50), k);
          c.a = a;
          c.a_threshold = threshold;
          c.float_fill = seed % 2 ? FloatFill::ordinary : FloatFill::special;
          c.a_scale = static_cast<Given>(seed % 3);
          c.c = seed % 4 ? Type::f32 : Type::b1;
          c.pad = seed % 3;
          c.edge = seed % 5 ? Edge::back : Edge::front;
          c.seed = seed;
          ASSERT_TRUE(Problem(c).check(*kernel));
        }
}

/// No k, and so no thresholds: of none of them is read.
TEST_P(Binary, NoThresholds) {
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) {
    Case c = bits(3, 20, 0);
    c.a = Type::f32;
    c.a_threshold = Given::each;
    Problem problem(c);
    const Guarded none(0);
    problem.desc().a_threshold = reinterpret_cast<const float*>(none.data());
    problem.desc().a_threshold_per = Per::column;
    ASSERT_TRUE(problem.check(*kernel));
  }
}

/// A row stride at which rows collide in the cache has A copied.
TEST_P(Binary, RowsThatCollideInTheCache) {
  Case c = bits(40, 50, 1000);
  c.pad = 4096 - bit_row_bytes(c.k);
  for (const Kernel* kernel : rows_of(GetParam(), Type::b1, Sums::bits)) ASSERT_TRUE(Problem(c).check(*kernel));
}

TEST_P(Binary, DispatchUnderACap) {
  Problem problem(bits(9, 37, 50));
  ASSERT_TRUE(problem.check(Cap(GetParam())));
  Weights weights, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &weights).ok());
  EXPECT_EQ(weights.tier() == GetParam(), !rows_of(GetParam(), Type::b1, Sums::bits).empty());
  ASSERT_TRUE(Weights::open(weights.blob(), weights.bytes(), &opened).ok());
  EXPECT_EQ(opened.type(), Type::b1);
  EXPECT_EQ(opened.k(), 50);
  Gemm plan;
  problem.desc().cap = GetParam();
  ASSERT_TRUE(Gemm::plan(problem.desc(), opened, &plan).ok());
  ASSERT_TRUE(problem.check(plan, 9));
  expect_damage_is_noticed(weights);
}

/// Products of a long k may have a row of their own, from a longer one where columns are few. Convolutions cannot work with it;
/// filters have none.
TEST_P(Binary, RowByShape) {
  struct Shape {
    std::int64_t n, k;
  };
  const auto rows = rows_of(GetParam(), Type::b1, Sums::bits);
  for (auto [n, k] : {Shape{5, 64}, {5, 767}, {5, 768}, {5, 5120}, {127, 767}, {128, 511}, {128, 512}, {130, 5120}})
    for (bool filters : {false, true}) {
      const auto serves = [&, n = n, k = k](const Kernel* row) {
        return (filters ? 0 : k) >= (n < 128 ? row->few_columns_from_k : row->from_k);
      };
      const auto expected = std::find_if(rows.begin(), rows.end(), serves);
      if (expected == rows.end()) continue;
      Problem problem(bits(3, n, k));
      WeightsDesc w = problem.weights_desc();
      if (filters) w.filter_groups = w.filter_h = w.filter_w = 1, w.filter_c = k;
      w.cap = problem.desc().cap = GetParam();
      const Packed p = packed(w);
      if (filters && k % 64 != 0) {  // channels are whole words
        EXPECT_EQ(p.status.code, Code::invalid_argument);
        continue;
      }
      ASSERT_TRUE(p.status.ok()) << p.status.reason;
      Gemm plan;
      ASSERT_EQ(Gemm::plan(problem.desc(), p.weights, &plan).ok(), !filters);
      if (!filters) {
        EXPECT_STREQ(plan.info().kernel, (*expected)->name);
        ASSERT_TRUE(problem.check(plan, 3));
      }
      ConvDesc conv;
      conv.h = conv.w = 3, conv.c = k;
      conv.kernel_h = conv.kernel_w = 1;
      conv.gemm = problem.desc();
      Conv out;
      ASSERT_EQ(Conv::plan(conv, p.weights, &out).ok(), filters);
      if (filters) {
        EXPECT_STREQ(out.info().kernel, (*expected)->name);
      }
    }
}

TEST(Binary, InfoTellsWhyNotBetter) {
  Problem problem(bits(3, 5, 40));
  Weights weights;
  Gemm plan;
  for (Tier tier : available_tiers()) {
    ASSERT_TRUE(problem.pack(Cap(tier), &weights).ok());
    problem.desc().cap = tier;
    ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
    EXPECT_EQ(plan.info().tier, weights.tier());
    const bool best = weights.tier() == available_tiers().back();
    EXPECT_EQ(std::string(plan.info().why_not_better).empty(), best) << name(tier);
  }
}

TEST(Binary, WhatIsRefused) {
  Problem problem(bits(3, 5, 40));
  const auto pack = [&](const WeightsDesc& d) { return packed(d).status; };
  WeightsDesc d = problem.weights_desc();
  EXPECT_TRUE(pack(d).ok());
  d.order = Order::kn;
  EXPECT_EQ(pack(d).code, Code::unsupported);
  d = problem.weights_desc();
  const std::int32_t zero_point = 0;
  d.zero_point = &zero_point;
  EXPECT_EQ(pack(d).code, Code::unsupported);
  d = problem.weights_desc();
  d.stride = 7;
  EXPECT_EQ(pack(d).code, Code::invalid_argument);
  for (int at : {5, 7, 4 * 8 + 7}) {  // a bit behind the last k
    problem.b().make_writable();
    problem.b().data()[at] ^= 0x80;
    EXPECT_EQ(pack(problem.weights_desc()).code, Code::invalid_argument);
    problem.b().data()[at] ^= 0x80;
  }

  Weights weights;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  Gemm plan;
  GemmDesc g = problem.desc();
  g.a_zero_point = 1;
  EXPECT_EQ(Gemm::plan(g, weights, &plan).code, Code::invalid_argument);
  ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
  GemmArgs args = problem.args();
  EXPECT_TRUE(plan.run(args).ok());
  args.a_stride = 7;
  EXPECT_EQ(plan.run(args).code, Code::invalid_argument);
  for (int at : {5, 7, 2 * 8 + 7}) {
    problem.a().make_writable();
    problem.a().data()[at] ^= 0x80;
    const Status s = plan.run(problem.args());
    EXPECT_EQ(s.code, Code::invalid_argument);
    EXPECT_NE(std::string(s.reason).find("beyond k"), std::string::npos) << s.reason;
    problem.a().data()[at] ^= 0x80;
  }
  Case values = bits(3, 5, 40);
  values.a = Type::f32;
  values.a_threshold = Given::each;
  Problem floats(values);
  ASSERT_TRUE(floats.pack(Cap{}, &weights).ok());
  g = floats.desc();
  EXPECT_TRUE(Gemm::plan(g, weights, &plan).ok());
  g.a_threshold_per = Per::row;
  EXPECT_EQ(Gemm::plan(g, weights, &plan).code, Code::invalid_argument);
  const float nan = std::nanf("");
  g.a_threshold = &nan;
  g.a_threshold_per = Per::tensor;
  EXPECT_EQ(Gemm::plan(g, weights, &plan).code, Code::invalid_argument);
  Case out = bits(3, 5, 40);
  out.c = Type::b1;
  Problem thresholds(out);
  ASSERT_TRUE(thresholds.pack(Cap{}, &weights).ok());
  EXPECT_TRUE(Gemm::plan(thresholds.desc(), weights, &plan).ok());
  const float bias[5] = {};
  const std::uint8_t at_most[5] = {0, 1, 2, 0, 0};
  for (int what = 0; what < 6; ++what) {
    g = thresholds.desc();
    if (what == 0) g.threshold = nullptr;
    if (what == 1) g.at_most = at_most;
    if (what == 2) g.accumulate = true;
    if (what == 3) g.activation = Activation::relu;
    if (what == 4) g.bias_f32 = bias;
    if (what == 5) g.residual = Type::f32;
    EXPECT_EQ(Gemm::plan(g, weights, &plan).code, Code::invalid_argument) << what;
  }
  Problem int8({.m = 3, .n = 5, .k = 40});
  ASSERT_TRUE(int8.pack(Cap{}, &weights).ok());
  EXPECT_EQ(Gemm::plan(problem.desc(), weights, &plan).code, Code::unsupported);
  EXPECT_EQ(max_k(Type::b1, Type::b1, false), (1 << 24) - 1);
}

}  // namespace
}  // namespace narrow::test
