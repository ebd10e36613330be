// What weights with groups of k do not go together with, and how long a group may be.
#include <gtest/gtest.h>

#include <limits>

#include "tests/packed.h"
#include "tests/problem.h"

namespace narrow::test {
namespace {

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
  const auto with_floats = [&](WeightsDesc& d) {
    d.groups.zero_point = float_zero_point.data();
    d.groups.zero_point_type = Type::f32;
  };
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
