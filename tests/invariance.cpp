// The same bits however the work is cut: rows one at a time, threads and schedules of any kind, batches.
#include "src/driver.h"
#include "tests/parallels.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Invariance : public TierTest {};
NARROW_FOR_EACH_TIER(Invariance);

std::vector<Case> cases() {
  return {
      {.m = 21, .n = 75, .k = 130, .a = Type::u8, .a_zero_point = Given::each, .c = Type::s32, .bias = Bias::s32},
      {.m = 21, .n = 75, .k = 130, .a = Type::f32, .dynamic = Dynamic::asymmetric, .b_zero_point = Given::each,
       .b_scale = Given::each, .c = Type::bf16, .bias = Bias::f32, .accumulate = true, .activation = Activation::gelu},
      {.m = 21, .n = 75, .k = 130, .a = Type::s8, .a_scale = Given::each, .b_scale = Given::each, .c = Type::s8,
       .residual = Type::u8, .activation = Activation::relu},
      {.m = 21, .n = 75, .k = 70, .a = Type::u8, .a_zero_point = Given::each, .a_scale = Given::each, .c = Type::f32,
       .residual = Type::f16},
      {.m = 40, .n = 300, .k = 1000, .a = Type::bf16, .b_scale = Given::tensor, .c = Type::f32, .pad = 3},  // tiles for all
      {.m = 3, .n = 8, .k = 130000, .a = Type::s8, .a_scale = Given::each, .c = Type::f32, .accumulate = true},  // slices of k
      {.m = 1, .n = 130, .k = 32000, .a = Type::u8, .b_zero_point = Given::tensor, .c = Type::f32},
      {.m = 21, .n = 75, .k = 130, .a = Type::s8, .b = Type::s4, .a_scale = Given::group, .c = Type::f32, .group = 32},
  };
}

/// Among the cases are some that are large enough for several threads, and for slices of k.
TEST_P(Invariance, OfWhatIsShared) {
  int shared = 0, sliced = 0;
  for (const Case& c : cases()) {
    Problem problem(c);
    Gemm plan;
    ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
    const Blocking b = blocking(GemmAccess::product(plan), c.m, 8);
    shared += b.threads > 2;
    sliced += b.slices > 1;
  }
  EXPECT_GE(shared, 2);
  EXPECT_GE(sliced, 1);
}

/// What scratch_size says for m rows will do for any fewer.
TEST_P(Invariance, ScratchForFewerRows) {
  for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{128, 11008}, {192, 8192}, {70, 4096}, {1000, 300}})
    for (Type a : {Type::u8, Type::f32}) {
      Problem problem({.m = 1, .n = n, .k = k, .a = a, .c = Type::f32});
      Gemm plan;
      ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
      const Product& p = GemmAccess::product(plan);
      for (int threads : {1, 2, 8, 64}) {
        std::size_t most = 0;
        for (std::int64_t m = 0; m <= 600; ++m) {
          most = std::max(most, scratch_bytes(p, blocking(p, m, threads), m));
          ASSERT_GE(plan.scratch_size(m, threads), most) << m << " rows of " << n << 'x' << k << ", " << threads << " threads";
        }
      }
    }
}

/// The last row of a product of m rows is that row's own product.
TEST_P(Invariance, OfRows) {
  for (const Case& c : cases()) {
    Problem problem(c);
    ASSERT_FALSE(problem.trivial()) << c;
    Gemm plan;
    ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
    for (std::int64_t m = 1; m <= c.m; ++m) ASSERT_TRUE(problem.check(plan, m));
  }
}

TEST_P(Invariance, OfThreadsAndSchedules) {
  for (const Case& c : cases()) {
    Problem problem(c);
    Gemm plan;
    ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
    for (int threads : {1, 2, 3, 8, 64})
      for (const Schedule& schedule : schedules) {
        SCOPED_TRACE(testing::Message() << threads << " threads, " << schedule.name);
        ASSERT_TRUE(problem.check(plan, c.m, {threads, schedule.for_each, nullptr}));
        ASSERT_TRUE(problem.check(plan, 1, {threads, schedule.for_each, nullptr}));
      }
  }
}

TEST_P(Invariance, ScratchMayBeLarger) {
  for (const Case& c : cases()) {
    Problem problem(c);
    Weights weights;
    Gemm plan;
    ASSERT_TRUE(problem.pack(Cap(GetParam()), &weights).ok());
    problem.desc().cap = GetParam();
    ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
    problem.expected();
    for (std::size_t extra : {std::size_t{1}, std::size_t{100}, std::size_t{1} << 20}) {
      problem.reset_c();
      Guarded scratch(plan.scratch_size(c.m, 3) + extra, Gemm::scratch_alignment);
      const Parallel reversed{3, schedules[1].for_each, nullptr};
      ASSERT_TRUE(plan.run(problem.args(), scratch.data(), scratch.size(), reversed).ok());
      ASSERT_TRUE(problem.compare(plan.info().kernel, c.m));
    }
    problem.reset_c();
    ASSERT_TRUE(plan.run(problem.args()).ok());  // the overload that allocates
    ASSERT_TRUE(problem.compare(plan.info().kernel, c.m));
    problem.reset_c();
    Guarded scratch(plan.scratch_size(c.m), Gemm::scratch_alignment);
    ASSERT_TRUE(gemm(problem.desc(), weights, problem.args(), scratch.data(), scratch.size()).ok());
    ASSERT_TRUE(problem.compare(plan.info().kernel, c.m));
  }
}

/// Every item of a batch is a product of its own, with its own m.
TEST_P(Invariance, OfBatchesOnThreads) {
  for (const Case& c : cases())
    for (int threads : {1, 3}) {
      // The items are the rows of one problem, cut into pieces of 1, 2, 3 ... rows and an empty one.
      Problem problem(c);
      Gemm plan;
      ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
      problem.expected();
      problem.reset_c();
      std::vector<GemmArgs> items;
      std::int64_t left = c.m, largest = 0;
      for (std::int64_t rows = 0; left > 0; ++rows) {
        GemmArgs item = problem.args(left);
        item.m = std::min(rows, left);
        items.push_back(item);
        left -= item.m;
        largest = std::max(largest, item.m);
      }
      Guarded scratch(plan.scratch_size(largest, threads), Gemm::scratch_alignment);
      const Status s = plan.run_batch(items.data(), static_cast<int>(items.size()), scratch.data(), scratch.size(),
                                      {threads, thread_for_each_task, nullptr});
      ASSERT_TRUE(s.ok()) << s.reason;
      ASSERT_TRUE(scratch.margins_intact());
      ASSERT_TRUE(problem.compare(plan.info().kernel, c.m));
    }
}

/// Items of few rows and of so many that B is unpacked for them, with all the scratch that there may be and with the least.
TEST_P(Invariance, OfBatchesOfUnlikeItems) {
  for (Type a : {Type::u8, Type::f32}) {
    const std::int64_t sizes[] = {30, 1, 64, 17, 0, 25, 63};
    Case c{.m = 200, .n = 300, .k = 130, .a = a, .b_zero_point = Given::each, .b_scale = Given::each, .c = Type::f32};
    Problem problem(c);
    Gemm plan;
    ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
    problem.expected();
    std::vector<GemmArgs> items;
    std::int64_t left = c.m;
    for (std::int64_t rows : sizes) {
      items.push_back(problem.args(left));
      items.back().m = rows;
      left -= rows;
    }
    ASSERT_EQ(left, 0);
    const Product& p = GemmAccess::product(plan);
    for (int threads : {1, 3, 8})
      for (std::size_t bytes : {scratch_bytes(p, blocking(p, 64, threads), 64), plan.scratch_size(64, threads)}) {
        problem.reset_c();
        Guarded scratch(bytes, 1);
        const Status s = plan.run_batch(items.data(), static_cast<int>(items.size()), scratch.data(), scratch.size(),
                                        {threads, thread_for_each_task, nullptr});
        ASSERT_TRUE(s.ok()) << s.reason;
        ASSERT_TRUE(scratch.margins_intact());
        ASSERT_TRUE(problem.compare(plan.info().kernel, c.m));
      }
  }
}

TEST_P(Invariance, OfStridedBatches) {
  for (Case c : cases()) {
    constexpr int count = 40;  // of 3 rows each
    c.m = 3 * count;
    c.n = std::min<std::int64_t>(c.n, 200);
    c.k = std::min<std::int64_t>(c.k, 300);
    Problem problem(c);
    Gemm plan;
    ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
    problem.expected();
    problem.reset_c();
    GemmArgs first = problem.args();
    first.m = 3;
    Guarded scratch(plan.scratch_size(3, 2), Gemm::scratch_alignment);
    const Status s = plan.run_strided(first, count, 3 * first.a_stride, 3 * first.c_stride, 3 * first.residual_stride,
                                      scratch.data(), scratch.size(), {2, schedules[0].for_each, nullptr});
    ASSERT_TRUE(s.ok()) << s.reason;
    ASSERT_TRUE(problem.compare(plan.info().kernel, c.m));
  }
}

/// C may be its own residual, and A may be shared by all items.
TEST_P(Invariance, ResidualInPlace) {
  for (Type c : {Type::f32, Type::bf16, Type::s8, Type::u8}) {
    Problem problem({.m = 9, .n = 70, .k = 40, .a = Type::s8, .b_scale = Given::each, .c = c, .residual = c, .residual_is_c = true});
    ASSERT_TRUE(problem.check(Cap(GetParam())));
  }
}

/// Tiers agree with each other, as well as with the reference.
TEST(Invariance, OfTiers) {
  for (const Case& c : cases()) {
    Problem problem(c);
    std::vector<unsigned char> first;
    for (Tier tier : available_tiers()) {
      ASSERT_TRUE(problem.check(Cap(tier)));
      const auto* bytes = problem.c().data();
      if (first.empty()) first.assign(bytes, bytes + problem.c().size());
      ASSERT_TRUE(std::equal(first.begin(), first.end(), bytes)) << name(tier) << ' ' << c;
    }
  }
}

}  // namespace
}  // namespace narrow::test
