// Convolutions of bits against the definition in plain loops: geometry, groups, all three paddings, outputs, strides, threads.
#include "src/hash.h"
#include "src/weights.h"
#include "tests/conv_problem.h"
#include "tests/parallels.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Convolution : public TierTest {};
NARROW_FOR_EACH_TIER(Convolution);

const ConvCase cases[] = {
    {1, 5, 6, 3, 5, 3, 3},
    {2, 7, 7, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 8, 9, 33, 17, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
    {3, 4, 5, 100, 70, 1, 1},
    {1, 3, 5, 70, 20, 1, 1, 2, 1},
    {1, 9, 9, 128, 48, 5, 3, 1, 2, 1, 1, 2, 1, 2, 1, 4},
    {1, 11, 10, 40, 33, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3},
    {1, 6, 6, 64, 9, 2, 4, 3, 1, 1, 1, 0, 3, 1, 0, 8},
    {2, 3, 3, 256, 130, 3, 3, 1, 1, 1, 1, 2, 0, 0, 2},
    {1, 1, 1, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 2, 2, 8, 8, 3, 3},  // no output at all
    {5, 12, 12, 32, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
};

/// Groups whose channels and filters are words, are not even bytes, or are one; read in place and copied, with gaps.
const ConvCase grouped[] = {
    {1, 5, 4, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2},   {2, 4, 5, 128, 96, 3, 2, 1, 2, 1, 1, 0, 0, 0, 0, 4, 2},
    {1, 6, 5, 99, 15, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 4, 3},   {2, 3, 4, 80, 80, 3, 3, 1, 1, 1, 1, 2, 0, 0, 2, 0, 2},
    {1, 4, 4, 6, 12, 2, 2, 1, 1, 2, 2, 0, 1, 1, 0, 0, 6},    {1, 5, 5, 35, 35, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 35},
    {3, 4, 3, 192, 130, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 8, 2}, {1, 4, 3, 44, 192, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2},
};

constexpr Padding paddings[] = {Padding::minus_one, Padding::plus_one, Padding::zero};

void check_all(Tier tier, Edge edge) {
  for (const ConvCase& c : cases)
    for (Padding padding : paddings)
      for (Type type : {Type::s32, Type::f32, Type::b1})
        ASSERT_EQ(ConvProblem(c, {.padding = padding, .c = type, .edge = edge}).check(tier), "");
}

TEST_P(Convolution, EqualsTheDefinition) { ASSERT_NO_FATAL_FAILURE(check_all(GetParam(), Edge::back)); }
TEST_P(Convolution, BehindGuardPages) { ASSERT_NO_FATAL_FAILURE(check_all(GetParam(), Edge::front)); }

TEST_P(Convolution, Groups) {
  for (const ConvCase& c : grouped) {
    for (Padding padding : paddings)
      for (Type type : {Type::s32, Type::s8, Type::b1}) ASSERT_EQ(ConvProblem(c, {padding, type}).check(GetParam()), "");
    for (Type type : {Type::f32, Type::bf16, Type::b1})
      for (Given threshold : {Given::none, Given::tensor, Given::each})
        ASSERT_EQ(ConvProblem(c, {.padding = Padding::plus_one, .c = type, .a = Type::f32, .a_threshold = threshold})
                      .check(GetParam()),
                  "");
    for (Type type : {Type::s32, Type::u8, Type::b1})
      ASSERT_EQ(ConvProblem(c, {.padding = Padding::zero, .c = type, .a = Type::u8, .operand = Type::s8}).check(GetParam()),
                "");
  }
}

TEST_P(Convolution, ValuesThatBecomeBits) {
  for (const ConvCase& c : cases)
    for (Padding padding : {Padding::plus_one, Padding::zero})
      for (Type a : {Type::f32, Type::u8, Type::s8})
        for (Given threshold : {Given::none, Given::tensor, Given::each})
          ASSERT_EQ(ConvProblem(c, {.padding = padding, .c = Type::s32, .a = a, .a_threshold = threshold}).check(GetParam()),
                    "");
}

/// Pixels so long that the copies of a pointwise convolution are packed once more.
TEST_P(Convolution, LongPixelsThatBecomeBits) {
  for (Type a : {Type::f32, Type::s8})
    EXPECT_EQ(ConvProblem({1, 3, 3, 32768, 5, 1, 1}, {Padding::minus_one, Type::s32, a}).check(GetParam()), "");
}

/// Or need not be.
TEST_P(Convolution, LongPixelsOfBytes) {
  for (std::int64_t c : {2048, 4090})
    EXPECT_EQ(ConvProblem({1, 5, 2, c, 5, 1, 1}, {.padding = Padding::zero, .c = Type::s32, .a = Type::u8, .operand = Type::s8})
                  .check(GetParam()),
              "");
}

TEST_P(Convolution, OfBytes) {
  for (const ConvCase& c : cases)
    for (Type a : {Type::u8, Type::s8})
      for (Type type : {Type::s32, Type::f32, Type::b1})
        ASSERT_EQ(ConvProblem(c, {.padding = Padding::zero, .c = type, .a = a, .operand = Type::s8}).check(GetParam()), "");
}

TEST_P(Convolution, Pooled) {
  const PoolWindow windows[] = {{2, 2, 2, 2}, {3, 3, 2, 2, 1, 1, 1, 1}, {1, 3, 1, 2, 0, 2, 0, 0}};
  const auto check = [&](const ConvCase& c) {
    for (const PoolWindow& window : windows) {
      if (c.h + c.top + c.bottom < c.dilation_h * (c.kernel_h - 1) + 1) continue;
      ASSERT_EQ(ConvProblem(c, {.padding = Padding::zero, .c = Type::b1, .pool = window}).check(GetParam()), "");
    }
  };
  for (const ConvCase& c : cases) check(c);
  for (const ConvCase& c : grouped) check(c);
}

TEST_P(Convolution, ThreadsAndManyImages) {
  const ConvCase all[] = {{40, 7, 7, 64, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
                          {40, 7, 7, 70, 70, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2}};
  // What belongs to pixels beside them, scales of rows and residuals, moves on with the images.
  for (const ConvCase& c : all)
    for (const ConvOptions& options : {ConvOptions{Padding::zero, Type::s32}, ConvOptions{Padding::zero, Type::b1},
                                       ConvOptions{.padding = Padding::zero, .c = Type::f32, .residual = Type::bf16}}) {
      ConvProblem problem(c, options);
      for (int threads : {1, 2, 3, 8})
        for (const Schedule& schedule : schedules)
          ASSERT_EQ(problem.check(GetParam(), {threads, schedule.for_each, nullptr}), "") << threads;
    }
}

/// Images large enough for several threads to copy, to fill windows of, to pool, and to join the bits of groups of.
TEST_P(Convolution, LargeImagesOnThreads) {
  const ConvCase all[] = {{3, 90, 91, 40, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
                          {3, 90, 91, 40, 24, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0, 2}};
  for (const ConvCase& c : all)
    for (const ConvOptions& options : {ConvOptions{Padding::zero, Type::s32}, ConvOptions{Padding::zero, Type::b1},
                                       ConvOptions{.padding = Padding::zero, .c = Type::b1, .pool = {2, 2, 2, 2}},
                                       ConvOptions{Padding::zero, Type::s32, Type::f32}}) {
      ConvProblem problem(c, options);
      for (int threads : {3, 8}) EXPECT_EQ(problem.check(GetParam(), {threads, thread_for_each_task, nullptr}), "") << threads;
    }
}

TEST(Convolution, WhatIsRefused) {
  ConvProblem problem({1, 5, 6, 40, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {Padding::zero, Type::s32});
  ASSERT_TRUE(problem.pack().ok());
  Conv conv;
  EXPECT_EQ(conv.run(problem.args(), nullptr, 0).code, Code::invalid_argument);
  for (int what = 0; what < 19; ++what) {
    ConvDesc d = problem.desc();
    if (what == 0) d.h = 0;
    if (what == 1) d.stride_w = 0;
    if (what == 2) d.pad_left = -1;
    if (what == 3) d.c = 64 + 1;
    if (what == 4) d.kernel_w = 2;
    if (what == 5) d.tap_sums = nullptr;
    if (what == 6) d.padding = static_cast<Padding>(7);
    if (what == 7) d.pool = {2, 2, 2, 2};
    if (what == 8) d.gemm.a_zero_point_per = Per::row;
    if (what == 9) d.pool = {2, 2, 0, 2}, d.gemm.c = Type::b1;
    if (what == 10) d.groups = 5, d.c = 200;
    if (what == 11) d.groups = 0;
    if (what == 12) d.w = 1, d.pad_left = d.pad_right = 0, d.pool = {2, 2, 0, 2}, d.gemm.c = Type::b1;  // no output to pool
    if (what == 13) d.pad_top = d.pad_bottom = d.pad_left = d.pad_right = std::int64_t{1} << 30;
    if (what == 14) d.h = d.w = d.stride_h = d.stride_w = std::int64_t{1} << 30;
    if (what == 15) d.kernel_h = 1, d.kernel_w = 9;  // as many taps
    if (what == 16) d.c = 50;                        // as many words
    if (what == 17) d.pool = {0, 2, 2, 2}, d.gemm.c = Type::b1;
    if (what == 18) d.h = d.w = 1 << 16;  // more output pixels than there may be rows
    std::vector<std::int32_t> thresholds(5);
    d.gemm.threshold = thresholds.data();
    EXPECT_FALSE(Conv::plan(d, problem.weights(), &conv).ok()) << what;
    EXPECT_EQ(conv.run(problem.args(), nullptr, 0).code, Code::invalid_argument) << what;  // it is as unplanned as before
  }
  EXPECT_FALSE(Conv::plan(problem.desc(), Weights{}, &conv).ok());
  ASSERT_TRUE(Conv::plan(problem.desc(), problem.weights(), &conv).ok());
  std::vector<unsigned char> scratch(conv.scratch_size(1));
  std::vector<std::int32_t> c(5 * 6 * 6);
  const auto run = [&](int what) {
    ConvArgs args = problem.args();
    args.c = c.data();
    if (what == 1) args.images = -1;
    if (what == 2) args.a = nullptr;
    if (what == 3) args.a_stride = 7;
    if (what == 4) args.c = nullptr;
    if (what == 5) args.c_stride = 4;
    if (what == 7) args.images = std::int64_t{1} << 62;
    if (what == 8) args.a_stride = std::int64_t{1} << 58;
    return conv.run(args, scratch.data(), scratch.size() - (what == 6));
  };
  EXPECT_TRUE(run(0).ok());
  for (int what = 1; what <= 8; ++what) EXPECT_FALSE(run(what).ok()) << what;
  Gemm gemm;
  EXPECT_EQ(Gemm::plan(problem.desc().gemm, problem.weights(), &gemm).code, Code::invalid_argument);
  problem.a().make_writable();
  problem.a().data()[3 * 8 + 7] ^= 0x80;
  EXPECT_EQ(run(0).code, Code::invalid_argument);
}

TEST(Convolution, FiltersThatAreRefused) {
  WeightsDesc desc;
  std::vector<unsigned char> filter(6 * 9 * 8, 0);
  EXPECT_TRUE(prepare_filters({1, 3, 3, 40, filter.data()}, &desc, nullptr).ok());
  filter[5 * 8 + 5] = 1;
  EXPECT_EQ(prepare_filters({1, 3, 3, 40, filter.data()}, &desc, nullptr).code, Code::invalid_argument);
  EXPECT_FALSE(prepare_filters({1, 0, 3, 40, filter.data()}, &desc, nullptr).ok());
  EXPECT_FALSE(prepare_filters({1, 3, 3, 40, nullptr}, &desc, nullptr).ok());
  filter[5 * 8 + 5] = 0;
  EXPECT_TRUE(prepare_filters({6, 3, 3, 40, filter.data(), 3}, &desc, nullptr).ok());
  EXPECT_FALSE(prepare_filters({6, 3, 3, 40, filter.data(), 4}, &desc, nullptr).ok());
  EXPECT_FALSE(prepare_filters({6, 3, 3, 40, filter.data(), 0}, &desc, nullptr).ok());
}

/// Weights of groups are no product's, and only bits have them.
TEST(Convolution, GroupsOfWeights) {
  ConvProblem problem({1, 3, 3, 64, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2}, {Padding::zero, Type::s32});
  ASSERT_TRUE(problem.pack().ok());
  GemmDesc d;
  d.a = Type::b1;
  Gemm gemm;
  EXPECT_EQ(Gemm::plan(d, problem.weights(), &gemm).code, Code::invalid_argument);
  Conv conv;
  ConvDesc alone = problem.desc();
  alone.groups = 1, alone.c = 32;
  EXPECT_FALSE(Conv::plan(alone, problem.weights(), &conv).ok());

  std::size_t bytes = problem.weights().bytes();
  Guarded copy(bytes, Weights::alignment);
  for (std::uint32_t groups : {1u, 3u, 80u}) {
    std::memcpy(copy.data(), problem.weights().blob(), bytes);
    auto* header = copy.as<BlobHeader>();
    header->filter_groups = groups;
    header->header_hash = hash(header, offsetof(BlobHeader, header_hash), 0);
    Weights opened;
    EXPECT_EQ(Weights::open(copy.data(), bytes, &opened).code, Code::bad_weights) << groups;
  }

  WeightsStream stream;
  std::vector<unsigned char> blob(bytes);
  EXPECT_EQ(WeightsStream::begin(problem.weights_desc(), blob.data(), blob.size(), &stream).code, Code::unsupported);
  WeightsDesc w = problem.weights_desc();
  for (std::int64_t groups : {3, 81, -2}) {
    w.filter_groups = groups;
    EXPECT_EQ(Weights::packed_size(w, &bytes).code, Code::invalid_argument) << groups;
  }
  w = {};
  w.k = w.n = 8, w.filter_groups = 2;
  EXPECT_EQ(Weights::packed_size(w, &bytes).code, Code::unsupported);
  w.type = Type::b1;
  EXPECT_EQ(Weights::packed_size(w, &bytes).code, Code::invalid_argument) << "no taps";
}

}  // namespace
}  // namespace narrow::test
