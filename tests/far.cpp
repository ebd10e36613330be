// Sizes and strides of which something could leave 64 bits long before memory is touched: refused.
#include "narrow/bits.h"
#include "narrow/xnor.h"
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

constexpr std::int64_t huge[] = {INT64_MAX, INT64_MAX / 2, std::int64_t{1} << 61};

TEST(Far, Batches) {
  Problem problem({.m = 4, .n = 6, .k = 8, .c = Type::f32, .residual = Type::f32});
  Gemm plan;
  ASSERT_TRUE(problem.make_plan(Cap{}, &plan));
  std::vector<char> scratch(plan.scratch_size(4));
  problem.expected();
  for (std::int64_t far : huge)
    for (std::int64_t stride : {far, -far}) {
      const auto run = [&](std::int64_t a, std::int64_t c, std::int64_t residual, const GemmArgs& args) {
        return plan.run_strided(args, 3, a, c, residual, scratch.data(), scratch.size()).code;
      };
      EXPECT_EQ(run(stride, 0, 0, problem.args()), Code::invalid_argument);
      EXPECT_EQ(run(0, stride, 0, problem.args()), Code::invalid_argument);
      EXPECT_EQ(run(0, 0, stride, problem.args()), Code::invalid_argument);
      GemmArgs negative = problem.args();
      negative.m = -5;
      EXPECT_EQ(run(stride, stride, stride, negative), Code::invalid_argument);
    }
  EXPECT_TRUE(problem.compare("nothing", 0));
}

TEST(Far, GroupedRows) {
  Problem problem({.m = 4, .n = 6, .k = 8, .c = Type::f32, .residual = Type::f32});
  Gemm plan;
  ASSERT_TRUE(problem.make_plan(Cap{}, &plan));
  std::vector<char> scratch(Gemm::grouped_scratch_size(&plan, 1, 4));
  problem.expected();
  const auto run = [&](std::int64_t begin, const GemmArgs& args) {
    const std::int64_t offsets[] = {begin, args.m};
    return Gemm::run_grouped(&plan, 1, offsets, args, scratch.data(), scratch.size()).code;
  };
  for (std::int64_t far : huge) {
    GemmArgs rows = problem.args(), a = rows, c = rows, residual = rows;
    rows.m = far;
    a.a_stride = c.c_stride = residual.residual_stride = far;
    EXPECT_EQ(run(far - 1, rows), Code::invalid_argument);
    for (const GemmArgs& args : {a, c, residual}) EXPECT_EQ(run(3, args), Code::invalid_argument);
  }
  EXPECT_TRUE(problem.compare("nothing", 0));
}

TEST(Far, Bits) {
  float value = 1;
  unsigned char bits[4];
  for (std::int64_t far : huge) {
    const BitRows all[] = {{.rows = 1, .k = far, .stride = far, .bits_stride = far},
                           {.rows = far, .k = 1, .stride = far, .bits_stride = 4},
                           {.rows = far, .k = 1, .stride = 1, .bits_stride = far},
                           {.rows = far, .k = 1, .stride = 8, .bits_stride = 8}};
    for (const BitRows& rows : all) {
      EXPECT_EQ(pack_bits(rows, &value, bits).code, Code::invalid_argument);
      EXPECT_EQ(unpack_bits(rows, bits, &value).code, Code::invalid_argument);
    }
  }
}

TEST(Far, Images) {
  unsigned char bits[64] = {};
  float means[64] = {}, scales[64];
  const PoolWindow window{2, 2, 2, 2};
  for (std::int64_t far : huge) {
    const auto pool = [&](const BitImages& images, std::int64_t stride) {
      return max_pool_bits(window, images, bits, stride).code;
    };
    EXPECT_EQ(pool({far, 4, 4, 8, bits, 4}, 4), Code::invalid_argument);
    EXPECT_EQ(pool({2, 4, 4, 8, bits, far}, 4), Code::invalid_argument);
    EXPECT_EQ(pool({2, 4, 4, 8, bits, 4}, far), Code::invalid_argument);

    ConvDesc d;
    d.gemm.a = Type::f32;
    d.h = d.w = d.c = d.kernel_h = d.kernel_w = 1;
    ConvArgs args;
    args.images = 1;
    args.a = means;
    args.a_stride = 1;
    const auto run = [&](const ConvDesc& desc, const ConvArgs& with) {
      return xnor_scales(desc, with, scales, means + 32).code;
    };
    ASSERT_EQ(run(d, args), Code::ok);
    ConvArgs many = args, apart = args;
    many.images = far;
    many.a_stride = 8;
    apart.a_stride = far;
    EXPECT_EQ(run(d, many), Code::invalid_argument);
    EXPECT_EQ(run(d, apart), Code::invalid_argument);
    d.h = d.w = d.pad_top = d.pad_left = d.pad_bottom = d.pad_right = std::int64_t{1} << 30;
    EXPECT_EQ(run(d, args), Code::invalid_argument);
    ConvFilters filters;
    filters.n = far;
    filters.kernel_h = filters.kernel_w = filters.c = 1;
    filters.data = means;
    EXPECT_EQ(xnor_filters(filters, bits, scales).code, Code::invalid_argument);
  }
}

/// As much as can be asked for, of products and of threads.
TEST(Far, Scratch) {
  const std::vector<std::int8_t> data(4096);
  WeightsDesc w;
  w.n = 1, w.k = 4096, w.data = data.data();
  const Packed p = packed(w);
  GemmDesc d;
  Gemm plan;
  ASSERT_TRUE(Gemm::plan(d, p.weights, &plan).ok());
  EXPECT_GT(plan.scratch_size(INT64_MAX, INT_MAX), std::size_t{0});
}

/// Sums modulo 2^32 have room for what is taken off them, too: 127 (2^24 - 1) + 128 (2^24 - 1).
TEST(Far, SumsOfLongColumns) {
  const std::int64_t k = (std::int64_t{1} << 24) - 1;
  const std::vector<std::int8_t> column(static_cast<std::size_t>(k), 127);
  const std::int32_t zero_point = -128;
  WeightsDesc d;
  d.k = k;
  d.n = 1;
  d.data = column.data();
  d.zero_point = &zero_point;
  std::size_t bytes = 0;
  ASSERT_TRUE(Weights::packed_size(d, &bytes).ok());
  Guarded blob(bytes, Weights::alignment);
  Weights weights;
  EXPECT_TRUE(Weights::pack(d, blob.data(), bytes, &weights).ok());
}

}  // namespace
}  // namespace narrow::test
