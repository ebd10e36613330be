// The k up to which int32 holds: exact figures, the last k that fits with the values that fill int32, and what lies beyond.
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

/// The table of docs/arithmetic.md, and what of its kind it leaves out. Each is the largest: one more, and the worst case is
/// beyond int32, or cannot be packed.
TEST(Overflow, MaxKIsExact) {
  constexpr std::int64_t longest = (1 << 24) - 1;
  const struct {
    Type a, b;
    bool zero_points;
    std::int64_t reach, k;  ///< reach: the largest product of two values less their zero points, of u4 any that it may have
  } table[] = {
      {Type::u8, Type::s8, false, 255 * 128, 65793},  {Type::u8, Type::s8, true, 255 * 255, 33025},
      {Type::s8, Type::s8, false, 128 * 128, 131071}, {Type::s8, Type::s8, true, 255 * 255, 33025},
      {Type::u8, Type::b1, false, 255, 8421504},      {Type::u8, Type::b1, true, 255, 8421504},
      {Type::s8, Type::b1, false, 128, longest},      {Type::s8, Type::b1, true, 255, 8421504},
      {Type::b1, Type::b1, false, 1, longest},        {Type::u8, Type::s4, false, 255 * 8, 1052688},
      {Type::u8, Type::s4, true, 255 * 15, 561433},   {Type::s4, Type::s4, false, 8 * 8, longest},
      {Type::s4, Type::s4, true, 15 * 15, 9544371},   {Type::u8, Type::u4, false, 255 * 15, 561433},
      {Type::s8, Type::u4, false, 128 * 15, 1118481}, {Type::u4, Type::s8, false, 15 * 128, 1118481},
      {Type::u4, Type::u4, false, 15 * 15, 9544371},  {Type::u4, Type::s4, false, 15 * 8, longest},
      {Type::s8, Type::s4, false, 128 * 8, 2097151},  {Type::s4, Type::b1, true, 15, longest},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(testing::Message() << name(row.a) << " x " << name(row.b) << ", zero points " << row.zero_points);
    EXPECT_EQ(max_k(row.a, row.b, row.zero_points), row.k);
    EXPECT_LE(row.k * row.reach, INT32_MAX);
    EXPECT_TRUE(row.k == longest || (row.k + 1) * row.reach > INT32_MAX);
  }
  for (const auto& [a, b] : {std::pair{Type::f32, Type::s8}, {Type::u8, Type::u8}, {Type::b1, Type::s8}, {Type::u8, Type::f16}})
    EXPECT_EQ(max_k(a, b, false), 0);
}

/// What A may become counts: quantized asymmetrically it reaches as far as u8, and with a zero point for each row as far as any
/// zero point takes it.
TEST(Overflow, OfWhatAMayBecome) {
  const std::int64_t k = max_k(Type::u8, Type::s8, false);
  for (std::int64_t length : {k, k + 1}) {
    const std::vector<std::int8_t> data(static_cast<std::size_t>(length), -128);
    WeightsDesc w;
    w.k = length;
    w.n = 1;
    w.data = data.data();
    const Packed p = packed(w);
    ASSERT_TRUE(p.status.ok()) << p.status.reason;
    const auto code = [&](Type a, Dynamic dynamic, Per a_zero_point_per) {
      GemmDesc d;
      d.a = a;
      d.dynamic = dynamic;
      d.a_zero_point_per = a_zero_point_per;
      Gemm plan;
      return Gemm::plan(d, p.weights, &plan).code;
    };
    const Code of_255 = length == k ? Code::ok : Code::overflow;
    EXPECT_EQ(code(Type::f32, Dynamic::asymmetric, Per::tensor), of_255);
    EXPECT_EQ(code(Type::f32, Dynamic::symmetric, Per::tensor), Code::ok);
    EXPECT_EQ(code(Type::s8, Dynamic::symmetric, Per::row), of_255);
    EXPECT_EQ(code(Type::s8, Dynamic::symmetric, Per::tensor), Code::ok);
    EXPECT_EQ(code(Type::s4, Dynamic::symmetric, Per::row), Code::ok);
  }
}

class OverflowTiers : public TierTest {
 protected:
  /// Of a plan for u8 with these weights, which can be packed.
  static Status plan_with(WeightsDesc w) {
    w.cap = GetParam();
    const Packed p = packed(w);
    EXPECT_TRUE(p.status.ok()) << p.status.reason;
    GemmDesc d;
    d.cap = GetParam();
    Gemm plan;
    return Gemm::plan(d, p.weights, &plan);
  }
};
NARROW_FOR_EACH_TIER(OverflowTiers);

TEST_P(OverflowTiers, ExactAtTheLimit) {
  Problem u8({.m = 2, .n = 3, .k = max_k(Type::u8, Type::s8, false), .a = Type::u8, .a_fill = Fill::highest, .b_fill = Fill::lowest});
  EXPECT_TRUE(u8.check(Cap(GetParam())));
  Problem s8({.m = 2, .n = 3, .k = max_k(Type::s8, Type::s8, false), .a = Type::s8, .a_fill = Fill::lowest, .b_fill = Fill::lowest});
  EXPECT_TRUE(s8.check(Cap(GetParam())));
  for (Type a : {Type::u8, Type::s8})
    for (Fill a_fill : {Fill::lowest, Fill::highest})
      for (Fill b_fill : {Fill::lowest, Fill::highest}) {
        Problem problem({.m = 2, .n = 3, .k = max_k(a, Type::s8, true), .a = a, .a_fill = a_fill, .b_fill = b_fill,
                         .a_zero_point = Given::tensor, .b_zero_point = Given::tensor, .c = Type::s32});
        const Range range = range_of(a);
        const std::int32_t b_zero_point = b_fill == Fill::lowest ? 127 : -128;
        problem.desc().a_zero_point = a_fill == Fill::lowest ? range.hi : range.lo;
        problem.set_zero_point(&b_zero_point);
        EXPECT_TRUE(problem.check(Cap(GetParam())));
      }
}

/// Beyond the limit with weights that could fill int32: an error, from pack or from plan, never a wrapped sum.
TEST_P(OverflowTiers, RefusedBeyondTheLimit) {
  for (Type a : {Type::u8, Type::s8}) {
    Problem problem({.m = 1, .n = 3, .k = max_k(a, Type::s8, false) + 1, .a = a, .a_fill = Fill::highest, .b_fill = Fill::lowest});
    Weights weights;
    Status s = problem.pack(Cap(GetParam()), &weights);
    if (s.ok()) {
      Gemm plan;
      s = Gemm::plan(problem.desc(), weights, &plan);
    }
    EXPECT_EQ(s.code, Code::overflow);
    EXPECT_STRNE(s.reason, "");
  }
}

/// Of weights that are quantized as they are packed, a zero point is not used: nor does it move the limit.
TEST_P(OverflowTiers, UnusedZeroPoints) {
  const std::int64_t k = max_k(Type::u8, Type::s8, true) + 1;
  const std::vector<float> data(static_cast<std::size_t>(k), 1.0f);
  const std::int32_t zero_point = 5;
  WeightsDesc w;
  w.k = k, w.n = 1, w.data = data.data(), w.data_type = Type::f32, w.zero_point = &zero_point;
  const Status s = plan_with(w);
  EXPECT_TRUE(s.ok()) << s.reason;
}

/// Weights that are small enough make any k exact.
TEST_P(OverflowTiers, LongKWithSmallWeights) {
  for (Type a : {Type::u8, Type::s8}) {
    Problem problem({.m = 2, .n = 5, .k = 200001, .a = a, .a_fill = Fill::extremes, .b_fill = Fill::lowest});
    problem.b().make_writable();
    Rng rng(3);
    for (std::size_t i = 0; i < problem.b().size(); ++i) problem.b().as<std::int8_t>()[i] = static_cast<std::int8_t>(rng.between(-15, 15));
    EXPECT_TRUE(problem.check(Cap(GetParam())));
  }
}

/// Only what zero points make of the values counts.
TEST_P(OverflowTiers, ZeroPointsMoveTheLimit) {
  const std::int32_t zero_point = -128;
  Problem problem({.m = 2, .n = 5, .k = 140000, .a = Type::u8, .a_fill = Fill::extremes, .b_fill = Fill::lowest});
  problem.set_zero_point(&zero_point);  // every weight is 0
  EXPECT_TRUE(problem.check(Cap(GetParam())));
}

/// Of nibbles the zero point alone decides.
TEST_P(OverflowTiers, Nibbles) {
  const std::int64_t k = max_k(Type::u8, Type::s4, false);
  const std::vector<unsigned char> data(static_cast<std::size_t>((k + 2) / 2));
  for (const auto& [zero_point, length, code] :
       {std::tuple{0, k, Code::ok}, {0, k + 1, Code::overflow}, {7, k, Code::overflow}, {-1, k, Code::ok}}) {
    WeightsDesc d;
    d.type = Type::s4;
    d.k = length;
    d.n = 1;
    d.stride = (length + 1) / 2 * 2;
    d.data = data.data();
    d.zero_point = &zero_point;
    EXPECT_EQ(plan_with(d).code, code) << zero_point << ' ' << length;
  }
}

TEST_P(OverflowTiers, BiasCounts) {
  Problem problem({.m = 1, .n = 3, .k = 1000, .a = Type::u8, .a_fill = Fill::highest, .b_fill = Fill::lowest, .bias = Bias::s32});
  std::int32_t bias[3] = {0, 0, 0};
  problem.desc().bias_s32 = bias;
  bias[1] = INT32_MIN + 255 * 128 * 1000;
  Weights weights;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &weights).ok());
  Gemm plan;
  problem.desc().cap = GetParam();
  bias[2] = INT32_MIN;
  EXPECT_EQ(Gemm::plan(problem.desc(), weights, &plan).code, Code::overflow);
  bias[2] = INT32_MAX;
  EXPECT_EQ(Gemm::plan(problem.desc(), weights, &plan).code, Code::overflow);
  bias[1] = bias[2] = -2000000000;
  EXPECT_TRUE(problem.check(Cap(GetParam())));
}

}  // namespace
}  // namespace narrow::test
