// Results do not show the floating-point environment of the thread that asks for them, and leave it as it was. (Of the threads
// of a parallel-for: every other one of thread_for_each_task has such an environment.)
#include "tests/host_floats.h"

#include "narrow/narrow.h"
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/rng.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class HostsFloats : public TierTest {};
NARROW_FOR_EACH_TIER(HostsFloats);

TEST_P(HostsFloats, InProducts) {
  const Case cases[] = {
      {.m = 21, .n = 75, .k = 130, .a = Type::f32, .float_fill = FloatFill::special, .dynamic = Dynamic::asymmetric,
       .b_scale = Given::each, .c = Type::bf16, .bias = Bias::f32, .accumulate = true, .activation = Activation::gelu},
      {.m = 3, .n = 75, .k = 130, .a = Type::f16, .float_fill = FloatFill::special, .c = Type::f32, .bias = Bias::f32},
      {.m = 21, .n = 75, .k = 130, .a = Type::s8, .a_scale = Given::each, .b_scale = Given::each, .c = Type::s8,
       .residual = Type::u8, .activation = Activation::silu},
      {.m = 21, .n = 75, .k = 130, .a = Type::u8, .b_scale = Given::each, .c = Type::u8},
      {.m = 1, .n = 64, .k = 64, .a = Type::u8, .b_scale = Given::each, .c = Type::f32},
      {.m = 21, .n = 75, .k = 130, .a = Type::f32, .b = Type::s4, .c = Type::f16, .group = 32},
      {.m = 5, .n = 75, .k = 130, .a = Type::f32, .b = Type::b1, .a_threshold = Given::each, .c = Type::f32}};
  for (const Case& c : cases) {
    Problem problem(c);
    problem.expected();
    bool right, kept;
    {
      const HostFloats floats;
      right = static_cast<bool>(problem.check(Cap(GetParam())));
      kept = HostFloats::kept();
    }
    EXPECT_TRUE(right) << c;
    EXPECT_TRUE(kept) << c;
  }
}

/// Everything that is computed of floats before a product: packed weights, thresholds, alpha and K.
std::vector<unsigned char> prepared(Tier tier) {
  constexpr std::int64_t n = 33, k = 3 * 3 * 24;
  constexpr int values = n * k;
  static const std::vector<float> x = [] {
    Rng rng(1);
    std::vector<float> all(values);
    for (float& v : all) v = static_cast<float>(rng.real(-1, 1) * (rng.one_in(9) ? 1e-38 : 1));
    return all;
  }();
  std::vector<unsigned char> out;
  const auto keep = [&out](const void* data, std::size_t bytes) {
    out.insert(out.end(), static_cast<const unsigned char*>(data), static_cast<const unsigned char*>(data) + bytes);
  };
  const auto succeed = [](const Status& s) { EXPECT_TRUE(s.ok()) << s.reason; };
  for (Type type : {Type::s8, Type::s4})
    for (narrow::Range range : {narrow::Range::min_max, narrow::Range::mse})
      for (std::int64_t group : {0, 32}) {
        WeightsDesc d;
        d.type = type, d.n = n, d.k = k, d.data = x.data(), d.data_type = Type::f32, d.range = range;
        d.groups.size = group, d.cap = tier;
        const Packed p = packed(d);
        succeed(p.status);
        keep(p.weights.blob(), p.weights.bytes());
      }
  std::int32_t threshold[n];
  std::uint8_t at_most[n];
  const BatchNorm norm{.n = n, .scale = x.data(), .gamma = &x[n], .beta = &x[2 * n], .mean = &x[3 * n]};
  succeed(fold_batch_norm(norm, threshold, at_most));
  keep(threshold, sizeof threshold);
  keep(at_most, sizeof at_most);
  unsigned char bits[n * 3 * 3 * bit_row_bytes(24)];
  float alpha[n], scale[2 * 3], means[2 * 3];
  succeed(xnor_filters({n, 3, 3, 24, x.data()}, bits, alpha));
  keep(bits, sizeof bits);
  keep(alpha, sizeof alpha);
  ConvDesc layer;
  layer.h = 2, layer.w = 3, layer.c = 24, layer.kernel_h = layer.kernel_w = 3, layer.gemm.a = Type::f32;
  layer.pad_top = layer.pad_left = layer.pad_bottom = layer.pad_right = 1;
  ConvArgs args;
  args.images = 1, args.a = x.data(), args.a_stride = 24;
  succeed(xnor_scales(layer, args, scale, means));
  keep(scale, sizeof scale);
  return out;
}

TEST_P(HostsFloats, InWhatIsPrepared) {
  const std::vector<unsigned char> expected = prepared(GetParam());
  std::vector<unsigned char> got;
  bool kept;
  {
    const HostFloats floats;
    got = prepared(GetParam());
    kept = HostFloats::kept();
  }
  EXPECT_GT(expected.size(), 10000u);
  EXPECT_EQ(got, expected);
  EXPECT_TRUE(kept);
}

}  // namespace
}  // namespace narrow::test
