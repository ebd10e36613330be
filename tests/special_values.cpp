// Floats that are not ordinary: NaN, infinities, denormals, rows of zeros, ties of the 16-bit formats, the largest scales.
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class SpecialValues : public TierTest {};
NARROW_FOR_EACH_TIER(SpecialValues);

TEST_P(SpecialValues, InDynamicRows) {
  std::uint64_t seed = 0;
  for (Type a : {Type::f32, Type::bf16, Type::f16})
    for (Dynamic dynamic : {Dynamic::symmetric, Dynamic::asymmetric})
      for (std::int64_t k : {1, 3, 16, 33, 100})
        for (Type c : {Type::f32, Type::s8}) {
          Problem problem({.m = 12, .n = 21, .k = k, .a = a, .float_fill = FloatFill::special, .dynamic = dynamic,
                           .b_zero_point = Given::each, .b_scale = Given::each, .c = c, .seed = ++seed});
          ASSERT_TRUE(problem.check(Cap(GetParam())));
        }
}

TEST_P(SpecialValues, InAccumulatorAndResidual) {
  std::uint64_t seed = 50;
  for (Type c : {Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8})
    for (Type residual : {Type::f32, Type::bf16, Type::f16})
      for (int activation = 0; activation < 6; ++activation) {
        Problem problem({.m = 4, .n = 70, .k = 5, .a = Type::u8, .float_fill = FloatFill::special, .a_scale = Given::tensor,
                         .b_scale = Given::tensor, .c = c, .accumulate = is_float(c), .residual = residual,
                         .activation = static_cast<Activation>(activation), .seed = ++seed});
        ASSERT_TRUE(problem.check(Cap(GetParam())));
      }
}

/// Rows that lie at the ends of what dynamic quantization distinguishes.
TEST_P(SpecialValues, WholeRows) {
  const float max = max_float, nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> rows = {
      {0, 0, 0, 0},          {-0.0f, -0.0f, 0, -0.0f}, {nan, nan, nan, nan},         {inf, inf, inf, inf},
      {-inf, inf, nan, 0},   {-inf, -inf, -inf, -1},   {max, -max, max, max / 2},    {max, max, max, max},
      {-max, -max, 0, -max}, {1e-45f, 0, 0, 0},        {-1e-38f, 1e-39f, 0, 1e-38f}, {0x1p-118f, 0, 0, 0},
      {0x1p-119f, 0, 0, 0},  {0x1p-117f, -0x1p-117f, 0, 0}, {5, 5, 5, 5},            {-5, -5, -5, -5},
      {127, 0.5f, 1.5f, 2.5f}, {-127, -0.5f, -1.5f, -2.5f}, {255, 0.5f, 1.5f, 2.5f}, {inf, 3, -3, nan}};
  for (Dynamic dynamic : {Dynamic::symmetric, Dynamic::asymmetric})
    for (std::int64_t k : {4, 40}) {
      Problem problem({.m = static_cast<std::int64_t>(rows.size()), .n = 18, .k = k, .a = Type::f32, .dynamic = dynamic,
                       .b_scale = Given::each, .c = Type::f32});
      problem.a().make_writable();
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::int64_t p = 0; p < k; ++p) problem.a().as<float>()[static_cast<std::int64_t>(i) * k + p] = rows[i][p % 4];
      ASSERT_TRUE(problem.check(Cap(GetParam())));
    }
}

/// Scales and biases beyond what products of them can hold.
TEST_P(SpecialValues, ScalesAndBiases) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> scales = {0, -0.0f, 1e38f, -3e38f, 1e-45f, -1, 1, 1e-30f, 3e38f};
  const std::vector<float> biases = {0, -0.0f, inf, -inf, nan, 1e38f, -3e38f, 1e-45f, 0.5f, 1.5f, -0.5f};
  for (Type c : {Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8})
    for (float a_scale : {1.0f, 1e20f, -1e-20f, 0.0f})
      for (float c_scale : {1.0f, 1e-20f, 1e20f})
        for (int activation = 0; activation < 6; ++activation) {
          constexpr std::int64_t n = 99;
          Problem problem({.m = 3, .n = n, .k = 4, .a = Type::s8, .c = c, .activation = static_cast<Activation>(activation)});
          float scale[n], bias[n];
          for (std::int64_t j = 0; j < n; ++j) scale[j] = scales[j % 9], bias[j] = biases[j / 9];
          problem.set_scales(scale);
          problem.desc().bias_f32 = bias;
          problem.desc().a_scale = a_scale;
          problem.desc().c_scale = c_scale;
          ASSERT_TRUE(problem.check(Cap(GetParam()))) << a_scale << ' ' << c_scale;
        }
}

/// Bytes of reals far beyond their range and within it, for zero points and bounds at the ends of what there is, in rows that
/// fill a strip and that do not. (5 rows take tiles of four panels where a tier has them.)
TEST_P(SpecialValues, BytesAtTheEndsOfTheirRange) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> scales = {1, 1e38f, 0.3f, -1e38f, 1e-3f, -0.7f, 0};
  const std::vector<float> biases = {0, 0.5f, inf, -1.5f, -inf, 254.5f, -255.5f, 3e9f, -3e9f};
  struct Bounds {
    Activation activation;
    float lo, hi;
  };
  const Bounds bounds[] = {{Activation::none, 0, 0},         {Activation::relu, 0, 0},       {Activation::clamp, -3.5f, 9},
                           {Activation::clamp, -1000, -200}, {Activation::clamp, 200, 1000}, {Activation::clamp, -inf, inf}};
  for (Type c : {Type::s8, Type::u8})
    for (int zero_point : {0, 1, 127, 128, 255})
      for (const Bounds& b : bounds)
        for (std::int64_t n : {3, 37, 64, 125}) {
          Problem problem({.m = 5, .n = n, .k = 4, .a = Type::u8, .c = c, .activation = b.activation});
          std::vector<float> scale, bias;
          for (std::int64_t j = 0; j < n; ++j) scale.push_back(scales[j % 7]), bias.push_back(biases[j % 9]);
          problem.set_scales(scale.data());
          GemmDesc& d = problem.desc();
          d.bias_f32 = bias.data();
          d.c_zero_point = c == Type::u8 ? zero_point : zero_point - 128;
          d.lo = b.lo, d.hi = b.hi;
          ASSERT_TRUE(problem.check(Cap(GetParam()))) << d.c_zero_point << ' ' << b.lo << ' ' << b.hi << ' ' << n;
        }
}

/// Every bf16 and f16 value goes in as a residual and comes out again; f32 sums around every tie are rounded to even.
TEST_P(SpecialValues, SixteenBitFormats) {
  for (Type type : {Type::bf16, Type::f16}) {
    constexpr std::int64_t n = 256, m = 256;
    Problem round_trip({.m = m, .n = n, .k = 1, .a = Type::u8, .b_fill = Fill::lowest, .c = type, .residual = type});
    round_trip.desc().a_scale = 0;
    Problem ties({.m = m, .n = n, .k = 1, .a = Type::u8, .c = type, .residual = Type::f32});
    ties.desc().a_scale = 0;
    round_trip.residual().make_writable();
    ties.residual().make_writable();
    for (int i = 0; i < 65536; ++i) {
      round_trip.residual().as<std::uint16_t>()[i] = static_cast<std::uint16_t>(i);
      // Halfway between two neighbours, a little to either side, or the value itself.
      const std::uint32_t low = decode16(static_cast<std::uint16_t>(i), format_of(type)) == 0 ? 0 : to_bits(decode16(static_cast<std::uint16_t>(i), format_of(type)));
      const int dropped = 23 - format_of(type).mantissa_bits;
      const std::uint32_t half = 1u << (dropped - 1);
      const std::uint32_t offsets[] = {half, half - 1, half + 1, 0};
      ties.residual().as<float>()[i] = from_bits(low + offsets[i / 7 % 4]);
    }
    ASSERT_TRUE(round_trip.check(Cap(GetParam())));
    ASSERT_TRUE(ties.check(Cap(GetParam())));
  }
}

/// The reference's own conversions, against values that are known.
TEST(SpecialValues, ReferenceConversions) {
  EXPECT_EQ(encode16(1.0f, f16_format), 0x3c00);
  EXPECT_EQ(encode16(65504.0f, f16_format), 0x7bff);
  EXPECT_EQ(encode16(65519.9f, f16_format), 0x7bff);
  EXPECT_EQ(encode16(65520.0f, f16_format), 0x7c00);
  EXPECT_EQ(encode16(0x1p-24f, f16_format), 0x0001);
  EXPECT_EQ(encode16(0x1p-25f, f16_format), 0x0000);
  EXPECT_EQ(encode16(0x1.8p-25f, f16_format), 0x0001);
  EXPECT_EQ(encode16(-0x1.ffcp-15f, f16_format), 0x8400);
  EXPECT_EQ(encode16(-2.0f, bf16_format), 0xc000);
  EXPECT_EQ(encode16(from_bits(0x3f808000), bf16_format), 0x3f80);
  EXPECT_EQ(encode16(from_bits(0x3f818000), bf16_format), 0x3f82);
  EXPECT_EQ(encode16(max_float, bf16_format), 0x7f80);
  for (int bits = 0; bits < 0x7c00; ++bits) {
    EXPECT_EQ(encode16(decode16(static_cast<std::uint16_t>(bits), f16_format), f16_format), bits);
    EXPECT_EQ(to_bits(decode16(static_cast<std::uint16_t>(bits), bf16_format)), static_cast<std::uint32_t>(bits) << 16);
  }
}

}  // namespace
}  // namespace narrow::test
