// Floats quantized as they are packed: min-max against the formula, the search against every candidate, and how much of the
// signal is left for each size of groups.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "narrow/narrow.h"
#include "tests/guarded.h"
#include "tests/packed.h"
#include "tests/reference_quantize.h"
#include "tests/rng.h"

namespace narrow::test {
namespace {

using narrow::Range;

Packed pack(const WeightsDesc& w) {
  Packed p = packed(w);
  EXPECT_TRUE(p.status.ok()) << p.status.reason;
  return p;
}

/// The weights that packed ones stand for, as products with the rows of the unit matrix.
std::vector<float> real_values(const Weights& w) {
  std::vector<std::int8_t> unit(static_cast<std::size_t>(w.k() * w.k()));
  for (std::int64_t k = 0; k < w.k(); ++k) unit[static_cast<std::size_t>(k * w.k() + k)] = 1;
  std::vector<float> c(static_cast<std::size_t>(w.k() * w.n())), b(c.size());
  GemmDesc d;
  d.a = Type::s8;
  d.c = Type::f32;
  Gemm plan;
  EXPECT_TRUE(Gemm::plan(d, w, &plan).ok());
  GemmArgs args;
  args.m = args.a_stride = w.k();
  args.a = unit.data();
  args.c = c.data();
  args.c_stride = w.n();
  EXPECT_TRUE(plan.run(args).ok());
  for (std::int64_t k = 0; k < w.k(); ++k)
    for (std::int64_t j = 0; j < w.n(); ++j) b[j * w.k() + k] = c[k * w.n() + j];
  return b;
}

/// Normal values (sums of uniform ones), with a few large ones as weights of language models have them.
std::vector<float> weights_of(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(static_cast<std::size_t>(count));
  for (float& v : x) {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += rng.real(-0.5, 0.5);
    v = static_cast<float>(0.02 * sum * (rng.one_in(300) ? 4.0 : 1.0));
  }
  return x;
}

float rounded(float x, Type type) {
  if (type == Type::f32) return x;
  return decode16(encode16(x, format_of(type)), format_of(type));
}

/// What docs/arithmetic.md says of one group whose range is lo .. hi.
struct Formula {
  float scale = 1, inverse = 0;
  int zero_point = 0, lo, hi;

  Formula(float from, float to, Type type, Type scale_type) : lo(range_of(type).lo), hi(range_of(type).hi) {
    const float range = type == Type::u4 ? to / 15.0f - from / 15.0f : std::max(to, -from) / static_cast<float>(hi);
    const float s = rounded(range, scale_type);
    if (s < std::ldexp(1.0f, -118)) return;
    scale = s;
    inverse = 1.0f / s;
    if (type == Type::u4) zero_point = quantized(-from);
  }
  int quantized(float x) const {
    return static_cast<int>(std::clamp(std::nearbyintf(x * inverse + static_cast<float>(zero_point)), static_cast<float>(lo),
                                       static_cast<float>(hi)));
  }
};

TEST(QuantizeWeights, MinMaxIsTheFormula) {
  constexpr std::int64_t k = 90, n = 21;
  const std::vector<float> ordinary = weights_of(k * n, 3);
  for (Type data_type : {Type::f32, Type::bf16, Type::f16})
    for (Type type : {Type::s4, Type::u4, Type::s8})
      for (Type scale_type : {Type::f32, Type::bf16, Type::f16})
        for (Order order : {Order::nk, Order::kn})
          for (std::int64_t group : {0, 32, 40}) {
            if (group == 0 && scale_type != Type::f32) continue;
            const bool nk = order == Order::nk;
            const std::int64_t stride = (nk ? k : n) + 3, size = group != 0 ? group : k, count = (k + size - 1) / size;
            std::vector<std::uint8_t> data(static_cast<std::size_t>((nk ? n : k) * stride * 4));
            std::vector<float> x(k * n), scale(static_cast<std::size_t>(n * count));
            std::vector<std::int32_t> column_zero(n);
            std::vector<std::uint8_t> q(static_cast<std::size_t>(n * k)), zero(static_cast<std::size_t>(n * count));
            for (std::int64_t j = 0; j < n; ++j)
              for (std::int64_t p = 0; p < k; ++p) {
                float v = ordinary[static_cast<std::size_t>(j * k + p)];
                if (j == 1) v = std::fabs(v);                   // of one sign
                if (j == 2) v = 0;                              // no range
                if (j == 3) v *= 1e-40f;                        // one that vanishes
                if (j == 4) v *= 1e30f;                         // beyond f16 and its scale
                if (j == 5 && p < 3) v = p == 0 ? 7.0f : 0.5f;  // ties
                const std::int64_t at = nk ? j * stride + p : p * stride + j;
                store_float(data.data(), data_type, at, data_type == Type::f16 ? std::clamp(v, -60000.0f, 60000.0f) : v);
                x[static_cast<std::size_t>(j * k + p)] = load(data.data(), data_type, at);
              }
            for (std::int64_t j = 0; j < n; ++j)
              for (std::int64_t g = 0; g < count; ++g) {
                float lo = 0, hi = 0;
                for (std::int64_t p = g * size; p < std::min(k, (g + 1) * size); ++p) {
                  lo = std::min(lo, x[j * k + p]);
                  hi = std::max(hi, x[j * k + p]);
                }
                Formula f(lo, hi, type, scale_type);
                if (scale_type == Type::f16 &&
                    (type == Type::u4 ? hi / 15 - lo / 15 : std::max(hi, -lo) / static_cast<float>(f.hi)) > 65504) {
                  f.scale = 65504;
                  f.inverse = 1.0f / 65504;
                  f.zero_point = 0;
                  if (type == Type::u4) f.zero_point = f.quantized(-lo);
                }
                scale[j * count + g] = f.scale;
                zero[j * count + g] = static_cast<std::uint8_t>(f.zero_point);
                column_zero[j] = f.zero_point;
                for (std::int64_t p = g * size; p < std::min(k, (g + 1) * size); ++p)
                  q[j * k + p] = static_cast<std::uint8_t>(f.quantized(x[j * k + p]));
              }
            WeightsDesc floats;
            floats.type = type;
            floats.k = k;
            floats.n = n;
            floats.order = order;
            floats.stride = stride;
            floats.data = data.data();
            floats.data_type = data_type;
            floats.groups.size = group;
            floats.groups.scale_type = scale_type;

            WeightsDesc integers = floats;
            integers.data_type = Type::none;
            integers.order = Order::nk;
            integers.stride = 0;
            std::vector<std::uint8_t> nibbles(static_cast<std::size_t>(n * k / 2));
            for (std::size_t i = 0; i < q.size(); ++i) nibbles[i / 2] |= static_cast<std::uint8_t>((q[i] & 15) << i % 2 * 4);
            integers.data = type == Type::s8 ? q.data() : nibbles.data();
            std::vector<std::uint16_t> scale16;
            for (float s : scale) scale16.push_back(encode16(s, format_of(scale_type)));
            if (group != 0) {
              integers.groups.scale = scale_type == Type::f32 ? static_cast<const void*>(scale.data()) : scale16.data();
              integers.groups.zero_point = type == Type::u4 ? zero.data() : nullptr;
            } else {
              integers.scale = scale.data();
              integers.scale_per = Per::column;
              if (type == Type::u4) integers.zero_point = column_zero.data(), integers.zero_point_per = Per::column;
            }
            const Packed a = pack(floats), b = pack(integers);
            ASSERT_EQ(a.weights.bytes(), b.weights.bytes());
            // Headers may differ in the bound of the sums; what follows them may not.
            EXPECT_EQ(std::memcmp(a.blob.data() + 128, b.blob.data() + 128, a.weights.bytes() - 128), 0)
                << name(data_type) << " to " << name(type) << " " << name(scale_type) << " group " << group;
          }
}

/// The search finds the best of its candidates, as far as sums in float can tell: in groups and in whole columns.
TEST(QuantizeWeights, SearchFindsTheLeastError) {
  const struct {
    Type type;
    std::int64_t k, group;
  } cases[] = {{Type::s4, 160, 80}, {Type::u4, 160, 80}, {Type::s4, 160, 0},
               {Type::u4, 160, 0},  {Type::s8, 1024, 0}, {Type::s8, 1024, 1024}};  // of fewer values none is worth cutting off
  for (const auto& [type, k, group] : cases) {
    SCOPED_TRACE(testing::Message() << name(type) << " group " << group);
    constexpr std::int64_t n = 12;
    const std::int64_t size = group != 0 ? group : k;
    const std::vector<float> x = weights_of(k * n, 5);
    WeightsDesc w;
    w.type = type;
    w.k = k;
    w.n = n;
    w.data = x.data();
    w.data_type = Type::f32;
    w.groups.size = group;
    w.range = Range::mse;
    const std::vector<float> real = real_values(pack(w).weights);
    int better = 0;
    for (std::int64_t at = 0; at < k * n; at += size) {
      const float lo = std::min(0.0f, *std::min_element(&x[at], &x[at] + size)),
                  hi = std::max(0.0f, *std::max_element(&x[at], &x[at] + size));
      double got = 0, least = 1e30, of_min_max = 0;
      for (std::int64_t i = at; i < at + size; ++i) got += std::pow(static_cast<double>(x[i]) - real[i], 2);
      for (int cut = 0; cut < 40; ++cut) {
        const float part = static_cast<float>(64 - cut) / 64.0f;
        const Formula f(lo * part, hi * part, type, Type::f32);
        double error = 0;
        for (std::int64_t i = at; i < at + size; ++i)
          error += std::pow(static_cast<double>(x[i]) - static_cast<double>(f.scale) * (f.quantized(x[i]) - f.zero_point), 2);
        least = std::min(least, error);
        if (cut == 0) of_min_max = error;
      }
      EXPECT_LE(got, least * 1.0001);
      better += got < of_min_max * 0.98;
    }
    EXPECT_GT(better, k * n / size / 2);  // it was worth it
  }
}

/// The size of the values does not matter, but for what a scale can hold.
TEST(QuantizeWeights, SearchIsTheSameAtAnySize) {
  constexpr std::int64_t k = 256, n = 4;
  const std::vector<float> x = weights_of(k * n, 5);
  const auto searched = [&](int exponent, Range range) {
    std::vector<float> scaled(x);
    for (float& value : scaled) value = std::ldexp(value, exponent);
    WeightsDesc w;
    w.type = Type::s4;
    w.k = k;
    w.n = n;
    w.data = scaled.data();
    w.data_type = Type::f32;
    w.groups.size = 64;
    w.range = range;
    std::vector<float> real = real_values(pack(w).weights);
    for (float& value : real) value = std::ldexp(value, -exponent);
    return real;
  };
  const std::vector<float> expected = searched(0, Range::mse);
  EXPECT_NE(expected, searched(0, Range::min_max));
  for (int exponent : {-100, -80, -60, 60, 80, 110}) EXPECT_EQ(searched(exponent, Range::mse), expected) << exponent;
}

/// The share of the signal that 4 bits keep: more for smaller groups, and more for the search than for the whole range.
TEST(QuantizeWeights, SignalToNoise) {
  constexpr std::int64_t k = 1024, n = 8;
  const std::vector<float> x = weights_of(k * n, 9);
  std::printf("SQNR in dB of 4 bits        group:");
  for (std::int64_t size : {32, 64, 128, 256, 1024}) std::printf("%7lld", static_cast<long long>(size));
  std::printf("\n");
  for (Type type : {Type::s4, Type::u4}) {
    std::vector<double> min_max;
    for (Range range : {Range::min_max, Range::mse}) {
      std::printf("  %s, %-28s", name(type), range == Range::mse ? "least squared error" : "min-max");
      double before = 1e9;
      std::size_t at = 0;
      for (std::int64_t size : {32, 64, 128, 256, 1024}) {
        WeightsDesc w;
        w.type = type;
        w.k = k;
        w.n = n;
        w.data = x.data();
        w.data_type = Type::f32;
        w.groups.size = size;
        w.groups.scale_type = Type::f16;
        w.range = range;
        const std::vector<float> real = real_values(pack(w).weights);
        double signal = 0, noise = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          signal += std::pow(static_cast<double>(x[i]), 2);
          noise += std::pow(static_cast<double>(x[i]) - real[i], 2);
        }
        const double db = 10 * std::log10(signal / noise);
        std::printf("%7.2f", db);
        EXPECT_LT(db, before);
        before = db;
        if (range == Range::min_max)
          min_max.push_back(db);
        else
          EXPECT_GT(db, min_max[at]);
        ++at;
        EXPECT_GT(db, 9);
      }
      std::printf("\n");
    }
  }
}

}  // namespace
}  // namespace narrow::test
