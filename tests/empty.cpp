// Products without rows, columns or k: what they have no values of may be null.
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/problem.h"

namespace narrow::test {
namespace {

TEST(Arguments, EmptyProductsNeedNoPointers) {
  Problem problem({.m = 1, .n = 6, .k = 8});
  Weights weights;
  Gemm plan;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
  EXPECT_TRUE(plan.run(GemmArgs{}, nullptr, 0).ok());
  WeightsDesc none;
  const Packed empty = packed(none);
  EXPECT_TRUE(empty.status.ok()) << empty.status.reason;
  EXPECT_EQ(empty.weights.n(), 0);

  const auto without_values = [](Type type, std::int64_t n, std::int64_t k, std::int64_t stride, Order order = Order::nk) {
    WeightsDesc w;
    w.type = type, w.n = n, w.k = k, w.stride = stride, w.order = order;
    return packed(w);
  };
  EXPECT_TRUE(without_values(Type::b1, 0, 33, 64).status.ok());
  EXPECT_TRUE(without_values(Type::b1, 70, 0, 64).status.ok());
  EXPECT_TRUE(without_values(Type::s8, 3000, 0, 3000, Order::kn).status.ok());
  const Packed zeros = without_values(Type::s8, 70, 0, 64);
  ASSERT_TRUE(zeros.status.ok());
  std::vector<std::int32_t> c(100 * 70, 1);
  for (Type a : {Type::u8, Type::s8, Type::f32}) {
    GemmDesc d;
    d.a = a;
    d.c = a == Type::f32 ? Type::f32 : Type::s32;
    ASSERT_TRUE(Gemm::plan(d, zeros.weights, &plan).ok());
    std::fill(c.begin(), c.end(), 1);
    EXPECT_TRUE(plan.run({.m = 100, .a_stride = 64, .c = c.data(), .c_stride = 70}).ok());
    for (std::int32_t x : c) ASSERT_EQ(x, 0);
  }
  BitRows rows;
  rows.rows = 5, rows.stride = 7, rows.bits_stride = 4;
  EXPECT_TRUE(unpack_bits(rows, nullptr, nullptr).ok());
}

/// Nor are there rows to share out to threads.
TEST(Arguments, NoRowsForManyThreads) {
  Problem problem({.m = 1, .n = 1024, .k = 1024});
  Weights weights;
  Gemm plan;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
  const Parallel eight{8, schedules[0].for_each, nullptr};
  GemmArgs none, negative;
  negative.m = -5;
  std::vector<char> scratch(10000);
  EXPECT_EQ(plan.scratch_size(0, 8), 0u);
  EXPECT_EQ(plan.scratch_size(-5, 8), 0u);
  EXPECT_TRUE(plan.run(none, eight).ok());
  EXPECT_TRUE(plan.run(none, nullptr, 0, eight).ok());
  EXPECT_TRUE(plan.run_batch(nullptr, 0, nullptr, 0, eight).ok());
  EXPECT_EQ(plan.run(negative, eight).code, Code::invalid_argument);
  const std::int64_t offsets[] = {0, 0};
  EXPECT_TRUE(Gemm::run_grouped(&plan, 1, offsets, none, scratch.data(), scratch.size(), eight).ok());
}

}  // namespace
}  // namespace narrow::test
