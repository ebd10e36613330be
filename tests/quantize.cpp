// Dynamic quantization and the activations: worked examples, and the accuracy that docs/arithmetic.md states.
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Quantize : public TierTest {
 protected:
  /// A[m,3] times the 3x3 identity: what becomes of each element of A.
  template <class T>
  std::vector<T> through_identity(const std::vector<float>& x, Dynamic dynamic, Type c) {
    const std::int8_t identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    WeightsDesc w;
    w.k = w.n = 3;
    w.data = identity;
    w.cap = GetParam();
    const Packed p = packed(w);
    EXPECT_TRUE(p.status.ok()) << p.status.reason;
    GemmDesc d;
    d.a = Type::f32;
    d.dynamic = dynamic;
    d.c = c;
    d.cap = GetParam();
    std::vector<T> out(x.size());
    Gemm plan;
    const Status planned = Gemm::plan(d, p.weights, &plan);
    EXPECT_TRUE(planned.ok()) << planned.reason;
    GemmArgs args;
    args.m = static_cast<std::int64_t>(x.size() / 3);
    args.a = x.data();
    args.a_stride = args.c_stride = 3;
    args.c = out.data();
    EXPECT_TRUE(plan.run(args).ok());
    return out;
  }
};
NARROW_FOR_EACH_TIER(Quantize);

/// The example of per-row quantization: scale = absmax / 127.
TEST_P(Quantize, WorkedExamplePerRow) {
  const std::vector<float> x = {0.0114f, -0.0231f, 0.0445f, 0, 0, 0, -0.0409f, -0.0435f, -0.0400f};
  const std::vector<std::int32_t> q = {33, -66, 127, 0, 0, 0, -119, -127, -117};
  EXPECT_EQ(through_identity<std::int32_t>(x, Dynamic::symmetric, Type::s32), q);
  const std::vector<float> back = through_identity<float>(x, Dynamic::symmetric, Type::f32);
  const double scales[] = {2853.9326, 1, 2919.5403};
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(back[i], q[i] / scales[i / 3], 1e-8) << i;
}

TEST_P(Quantize, AsymmetricByHand) {
  // Row by row: range -1..3 (scale 4/255, zero point 64), only positive, only negative, all zero. 127.5 is
  // a tie, and goes to 128.
  const std::vector<float> x = {-1, 0, 3, 0, 1, 2, -2, -1, 0, 0, 0, 0};
  const std::vector<std::int32_t> q = {0 - 64, 0, 255 - 64, 0, 128, 255, 0 - 255, 127 - 255, 0, 0, 0, 0};
  EXPECT_EQ(through_identity<std::int32_t>(x, Dynamic::asymmetric, Type::s32), q);
}

TEST_P(Quantize, NanBecomesTheZeroPointAndInfinitiesTheEnds) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {nan, 1, -2, inf, -inf, 2, nan, nan, nan};
  EXPECT_EQ(through_identity<std::int32_t>(x, Dynamic::symmetric, Type::s32),
            (std::vector<std::int32_t>{0, 64, -127, 127, -127, 127, 0, 0, 0}));
  const std::vector<std::int32_t> asymmetric = through_identity<std::int32_t>(x, Dynamic::asymmetric, Type::s32);
  EXPECT_EQ(asymmetric[0], 0);
  EXPECT_EQ(asymmetric[3] - asymmetric[4], 255);
  EXPECT_EQ(asymmetric[6], 0);
}

/// No element is further off than half a step.
TEST_P(Quantize, ErrorIsHalfAStep) {
  Rng rng(9);
  std::vector<float> x(3 * 500);
  for (float& v : x) v = static_cast<float>(rng.real(-5, 11));
  for (Dynamic dynamic : {Dynamic::symmetric, Dynamic::asymmetric}) {
    const std::vector<float> back = through_identity<float>(x, dynamic, Type::f32);
    for (std::size_t row = 0; row < 500; ++row) {
      const float* r = &x[3 * row];
      const double lo = std::min({r[0], r[1], r[2], 0.0f}), hi = std::max({r[0], r[1], r[2], 0.0f});
      const double step = dynamic == Dynamic::symmetric ? std::max(hi, -lo) / 127 : (hi - lo) / 255;
      // The zero point is rounded too, so an asymmetric row's end may lie another half step off.
      const double allowed = (dynamic == Dynamic::symmetric ? 0.5 : 1.0) * step * 1.0001;
      for (std::size_t p = 0; p < 3; ++p) EXPECT_NEAR(back[3 * row + p], r[p], allowed) << "row " << row;
    }
  }
}

/// The polynomials (the kernels equal the reference bit for bit) against the functions that they stand for.
TEST(Quantize, ActivationAccuracy) {
  GemmDesc gelu, silu;
  gelu.activation = Activation::gelu;
  silu.activation = Activation::silu;
  double gelu_error = 0, silu_error = 0;
  for (std::uint32_t bits = 0; bits < 0x42800000; bits += 997)  // 0 .. 64
    for (float x : {from_bits(bits), -from_bits(bits)}) {
      const double scale = std::max(1.0, std::fabs(static_cast<double>(x)));
      gelu_error = std::max(gelu_error, std::fabs(activate(gelu, x) - 0.5 * x * std::erfc(-x / std::sqrt(2.0))) / scale);
      silu_error = std::max(silu_error, std::fabs(activate(silu, x) - x / (1 + std::exp(-static_cast<double>(x)))) / scale);
    }
  EXPECT_LE(gelu_error, 1.05e-6);
  EXPECT_LE(silu_error, 1.95e-6);
  const float inf = std::numeric_limits<float>::infinity();
  for (const GemmDesc& d : {gelu, silu}) {
    EXPECT_EQ(activate(d, inf), inf);
    EXPECT_EQ(activate(d, -inf), 0.0f);
    EXPECT_EQ(activate(d, 20.0f), 20.0f);
    EXPECT_EQ(activate(d, -20.0f), 0.0f);
    EXPECT_TRUE(std::isnan(activate(d, inf - inf)));
  }
}

/// Activations over a dense range, on the tier: y is exactly the f32 residual.
TEST_P(Quantize, ActivationsOverARange) {
  for (int activation = 0; activation < 6; ++activation)
    for (Type c : {Type::f32, Type::s8}) {
      Problem problem({.m = 8, .n = 1024, .k = 1, .a = Type::u8, .c = c, .residual = Type::f32,
                       .activation = static_cast<Activation>(activation)});
      problem.desc().a_scale = 0;
      problem.desc().lo = -0.7f;
      problem.desc().hi = 1.3f;
      problem.desc().c_scale = 0.11f;
      problem.residual().make_writable();
      for (int i = 0; i < 8192; ++i) problem.residual().as<float>()[i] = static_cast<float>(i - 4096) / 256;
      ASSERT_TRUE(problem.check(Cap(GetParam())));
    }
}

}  // namespace
}  // namespace narrow::test
