// Bits beside the products: packing and unpacking, pools, batch normalisation as thresholds, XNOR-Net's factors.
#include "narrow/bits.h"

#include <cmath>

#include "narrow/xnor.h"
#include "tests/guarded.h"
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/reference.h"
#include "tests/rng.h"
#include "tests/tiers.h"
#include "tests/typed_values.h"

namespace narrow::test {
namespace {

class Bits : public TierTest {};
NARROW_FOR_EACH_TIER(Bits);

constexpr Type value_types[] = {Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8};

/// Rows of values of a type, with what is special about it.
Guarded draw_values(Rng& rng, Type type, std::size_t count) {
  std::vector<unsigned char> bytes(count * size_of(type));
  const float special[] = {0.0f, -0.0f, std::nanf(""), INFINITY, -INFINITY, 1e-40f, -1e-40f};
  for (std::size_t i = 0; i < count; ++i) {
    if (type == Type::s8 || type == Type::u8)
      bytes[i] = static_cast<unsigned char>(rng.next());
    else
      store_float(bytes.data(), type, static_cast<std::int64_t>(i),
                  rng.one_in(4) ? special[rng.between(0, 6)] : static_cast<float>(rng.real(-2, 2)));
  }
  return guarded_copy(bytes.data(), bytes.size());
}

TEST_P(Bits, PackAndUnpack) {
  Rng rng(3);
  for (Type type : value_types)
    for (Per per : {Per::tensor, Per::column})
      for (std::int64_t k : {1, 5, 15, 16, 17, 31, 32, 33, 64, 100, 257})
        for (std::int64_t gap : {0, 3}) {
          BitRows rows;
          rows.rows = 1 + k % 70;
          rows.k = k;
          rows.type = type;
          rows.stride = k + gap;
          rows.bits_stride = bit_row_bytes(k) + gap;
          std::vector<float> threshold(per == Per::column ? static_cast<std::size_t>(k) : 1);
          for (float& t : threshold)
            t = static_cast<float>(type == Type::s8 || type == Type::u8 ? rng.between(-20, 99) : rng.real(-1, 1));
          const Guarded guarded_threshold = guarded_copy(threshold.data(), threshold.size());
          if (gap != 0 || k % 2 != 0) rows.threshold = guarded_threshold.as<float>();
          rows.threshold_per = per;
          const Guarded values = draw_values(rng, type, matrix_elements(rows.rows, k, rows.stride));
          Guarded bits(matrix_elements(rows.rows, bit_row_bytes(k), rows.bits_stride));
          ASSERT_TRUE(pack_bits(rows, values.data(), bits.data(), {3, schedules[0].for_each, nullptr}, GetParam()).ok());
          ASSERT_TRUE(bits.margins_intact());
          for (std::int64_t i = 0; i < rows.rows; ++i) {
            for (std::int64_t j = 0; j < k; ++j) {
              const float t = rows.threshold == nullptr ? 0.0f : threshold[per == Per::column ? j : 0];
              const float x = load(values.data(), type, i * rows.stride + j);
              ASSERT_EQ(sign(bits.data(), i * rows.bits_stride, j), x >= t ? 1 : -1)
                  << name(type) << ' ' << i << ',' << j << " of " << k;
            }
            for (std::int64_t j = k; j < 8 * bit_row_bytes(k); ++j) ASSERT_EQ(sign(bits.data(), i * rows.bits_stride, j), -1);
            for (std::int64_t at = bit_row_bytes(k); i + 1 < rows.rows && at < rows.bits_stride; ++at)
              ASSERT_EQ(bits.data()[i * rows.bits_stride + at], Guarded::pattern);
          }
          if (type == Type::u8) continue;
          Guarded back(matrix_elements(rows.rows, k, rows.stride) * size_of(type));
          ASSERT_TRUE(unpack_bits(rows, bits.data(), back.data()).ok());
          ASSERT_TRUE(back.margins_intact());
          for (std::int64_t i = 0; i < rows.rows; ++i)
            for (std::int64_t j = 0; j < k; ++j)
              ASSERT_EQ(load(back.data(), type, i * rows.stride + j),
                        static_cast<float>(sign(bits.data(), i * rows.bits_stride, j)));
        }
}

/// There and back, by threads that each do some of the rows.
TEST(Bits, OnThreads) {
  Rng rng(4);
  BitRows rows;
  rows.rows = 1000, rows.k = rows.stride = 33, rows.bits_stride = bit_row_bytes(rows.k);
  std::vector<unsigned char> bits(rows.rows * rows.bits_stride);
  for (auto& x : bits) x = static_cast<unsigned char>(rng.next());
  clear_padding(bits.data(), rows.rows, rows.bits_stride, rows.k);
  for (const Schedule& schedule : schedules) {
    const Parallel parallel{3, schedule.for_each, nullptr};
    std::vector<float> values(rows.rows * rows.stride);
    std::vector<unsigned char> back(bits.size());
    ASSERT_TRUE(unpack_bits(rows, bits.data(), values.data(), parallel).ok());
    for (std::int64_t i = 0; i < rows.rows * rows.k; ++i)
      ASSERT_EQ(values[i], static_cast<float>(sign(bits.data(), i / rows.k * rows.bits_stride, i % rows.k))) << schedule.name;
    ASSERT_TRUE(pack_bits(rows, values.data(), back.data(), parallel).ok());
    EXPECT_EQ(back, bits) << schedule.name;
  }
}

TEST(Bits, WhatIsRefused) {
  const float values[8] = {}, nan = std::nanf("");
  unsigned char bits[8];
  const auto pack = [&](auto change) {
    BitRows rows;
    rows.rows = 2, rows.k = 4, rows.stride = 4, rows.bits_stride = 4;
    change(rows);
    return pack_bits(rows, values, bits).code;
  };
  EXPECT_EQ(pack([](BitRows&) {}), Code::ok);
  EXPECT_EQ(pack([](BitRows& r) { r.rows = -1; }), Code::invalid_argument);
  EXPECT_EQ(pack([](BitRows& r) { r.stride = 3; }), Code::invalid_argument);
  EXPECT_EQ(pack([](BitRows& r) { r.bits_stride = 3; }), Code::invalid_argument);
  EXPECT_EQ(pack([](BitRows& r) { r.type = Type::s32; }), Code::unsupported);
  EXPECT_EQ(pack([](BitRows& r) { r.threshold_per = Per::row; }), Code::invalid_argument);
  EXPECT_EQ(pack([&](BitRows& r) { r.threshold = &nan; }), Code::invalid_argument);
  BitRows rows;
  rows.rows = 1, rows.k = 4, rows.stride = 4, rows.bits_stride = 4;
  EXPECT_EQ(pack_bits(rows, nullptr, bits).code, Code::invalid_argument);
  EXPECT_EQ(unpack_bits(rows, bits, nullptr).code, Code::invalid_argument);
  rows.type = Type::u8;
  EXPECT_EQ(unpack_bits(rows, bits, bits).code, Code::unsupported);
}

TEST(Bits, MaxPool) {
  Rng rng(8);
  const PoolWindow windows[] = {{2, 2, 2, 2}, {3, 3, 2, 2, 1, 1, 1, 1}, {3, 3, 1, 1}, {1, 2, 1, 3, 0, 1, 0, 1}, {9, 2, 1, 1}};
  for (const PoolWindow& p : windows)
    for (std::int64_t c : {1, 32, 70, 256})
      for (int threads : {1, 3}) {
        BitImages d;
        d.images = 2, d.h = 7, d.w = 6, d.c = c;
        const std::int64_t bytes = bit_row_bytes(c), out_stride = bytes + 4;
        d.a_stride = bytes + threads;
        std::vector<unsigned char> a(matrix_elements(d.images * d.h * d.w, bytes, d.a_stride));
        for (auto& x : a) x = static_cast<unsigned char>(rng.next() & rng.next());
        const Guarded image = guarded_copy(a.data(), a.size());
        d.a = image.data();
        const std::int64_t out_h = conv_output(d.h, p.h, p.stride_h, 1, p.pad_top + p.pad_bottom);
        const std::int64_t out_w = conv_output(d.w, p.w, p.stride_w, 1, p.pad_left + p.pad_right);
        Guarded out(matrix_elements(d.images * out_h * out_w, bytes, out_stride));
        ASSERT_TRUE(max_pool_bits(p, d, out.data(), out_stride, {threads, schedules[0].for_each, nullptr}).ok());
        ASSERT_TRUE(out.margins_intact());
        for (std::int64_t i = 0; i < d.images * out_h * out_w; ++i)
          for (std::int64_t b = 0; b < bytes; ++b) {
            unsigned char any = 0;
            for (std::int64_t r = 0; r < p.h; ++r)
              for (std::int64_t s = 0; s < p.w; ++s) {
                const std::int64_t y = i / out_w % out_h * p.stride_h - p.pad_top + r,
                                   x = i % out_w * p.stride_w - p.pad_left + s;
                if (y >= 0 && y < d.h && x >= 0 && x < d.w)
                  any |= a[((i / (out_h * out_w) * d.h + y) * d.w + x) * d.a_stride + b];
              }
            ASSERT_EQ(out.data()[i * out_stride + b], any);
          }
      }
  unsigned char pixels[64] = {};
  BitImages d{1, 4, 4, 8, pixels, 4};
  const auto pool = [&](PoolWindow p) { return max_pool_bits(p, d, pixels, 4).code; };
  EXPECT_EQ(pool({2, 0}), Code::invalid_argument);
  EXPECT_EQ(pool({2, 2, 0, 1}), Code::invalid_argument);
  EXPECT_EQ(pool({2, 2, 1, 1, 2}), Code::invalid_argument);
  d.a_stride = 3;
  EXPECT_EQ(pool({2, 2}), Code::invalid_argument);
}

/// The folded comparison beside the formula, for every sum around where it changes and at the ends.
TEST(Bits, BatchNormAsThresholds) {
  Rng rng(5);
  constexpr int n = 600;
  std::vector<float> scale(n), bias(n), gamma(n), beta(n), mean(n), variance(n);
  for (int j = 0; j < n; ++j) {
    scale[j] = static_cast<float>(rng.one_in(15) ? 0 : rng.real(-0.1, 0.2));
    bias[j] = static_cast<float>(rng.real(-3, 3));
    gamma[j] = static_cast<float>(rng.one_in(15) ? (rng.one_in(2) ? 0.0 : -0.0) : rng.one_in(15) ? 1e-38 : rng.real(-2, 2));
    beta[j] = static_cast<float>(rng.one_in(9) ? 0 : rng.real(-3, 3));
    mean[j] = static_cast<float>(rng.real(-9, 9));
    variance[j] = static_cast<float>(rng.one_in(9) ? 0 : rng.real(0, 5));
    if (j % 7 == 0) scale[j] = 1, bias[j] = mean[j] = 4, beta[j] = 0;  // a threshold of 0, met exactly
  }
  BatchNorm d;
  d.n = n;
  d.scale = scale.data(), d.bias = bias.data(), d.gamma = gamma.data(), d.beta = beta.data(), d.mean = mean.data();
  d.variance = variance.data();
  d.epsilon = 0;
  std::vector<std::int32_t> threshold(n);
  std::vector<std::uint8_t> at_most(n);
  int all = 0, none = 0, turned = 0;
  for (bool with_epsilon : {false, true}) {
    if (with_epsilon) d.epsilon = 1e-3f;
    ASSERT_TRUE(fold_batch_norm(d, threshold.data(), at_most.data()).ok());
    for (int j = 0; j < n; ++j) {
      std::vector<std::int64_t> sums = {-INT32_MAX, INT32_MAX, 0};
      for (std::int64_t s = -3; s <= 3; ++s) sums.push_back(threshold[j] + s);
      for (std::int64_t s = -500; s <= 500; ++s) sums.push_back(s);
      int trues = 0, tried = 0;
      for (std::int64_t s : sums) {
        if (s < -INT32_MAX || s > INT32_MAX) continue;
        const double y = (static_cast<double>(scale[j]) * static_cast<double>(s) + bias[j]) - mean[j];
        const bool expected = gamma[j] * y + beta[j] * std::sqrt(static_cast<double>(variance[j]) + d.epsilon) >= 0;
        const bool folded = at_most[j] ? s <= threshold[j] : s >= threshold[j];
        ASSERT_EQ(folded, expected) << j << ", sum " << s << ", threshold " << threshold[j];
        trues += expected, ++tried;
      }
      all += trues == tried, none += trues == 0, turned += at_most[j] && trues > 0 && trues < tried;
    }
  }
  EXPECT_GT(all, 0);
  EXPECT_GT(none, 0);
  EXPECT_GT(turned, 100);

  BatchNorm plain;
  plain.n = 1;
  ASSERT_TRUE(fold_batch_norm(plain, threshold.data(), at_most.data()).ok());
  EXPECT_EQ(threshold[0], 0);
  EXPECT_EQ(at_most[0], 0);
  const float bad = INFINITY, negative = -1;
  plain.gamma = &bad;
  EXPECT_EQ(fold_batch_norm(plain, threshold.data(), at_most.data()).code, Code::invalid_argument);
  plain.gamma = nullptr;
  plain.variance = &negative;
  EXPECT_EQ(fold_batch_norm(plain, threshold.data(), at_most.data()).code, Code::invalid_argument);
  EXPECT_EQ(fold_batch_norm(d, nullptr, at_most.data()).code, Code::invalid_argument);
}

/// The means of windows that step, are dilated and padded, each way differently.
TEST(Bits, XnorScalesOfAnyWindow) {
  constexpr std::int64_t images = 2, h = 9, w = 8, c = 5, stride = c + 2;
  Rng rng(10);
  const Guarded x = guarded_values(rng, Type::f32, static_cast<std::int64_t>(matrix_elements(images * h * w, c, stride)), 1);
  ConvArgs args;
  args.images = images, args.a = x.data(), args.a_stride = stride;
  ConvDesc window;
  window.h = h, window.w = w, window.c = c, window.gemm.a = Type::f32;
  ConvDesc all[5];
  std::fill(all, all + 5, window);
  all[0].kernel_h = 3, all[0].kernel_w = 2;
  all[1].kernel_h = 2, all[1].kernel_w = 3, all[1].stride_h = 2, all[1].stride_w = 3;
  all[2].kernel_h = 3, all[2].kernel_w = 2, all[2].dilation_h = 2, all[2].dilation_w = 4;
  all[3].kernel_h = 2, all[3].kernel_w = 2, all[3].pad_top = 1, all[3].pad_left = 3, all[3].pad_bottom = 2;
  all[4] = all[2], all[4].stride_h = 3, all[4].stride_w = 2, all[4].pad_top = 3, all[4].pad_left = 2, all[4].pad_right = 5;
  for (const ConvDesc& d : all) {
    const std::int64_t out_h = conv_output(h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top + d.pad_bottom);
    const std::int64_t out_w = conv_output(w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left + d.pad_right);
    Guarded scale(static_cast<std::size_t>(images * out_h * out_w) * sizeof(float), alignof(float));
    std::vector<float> means(images * h * w);
    ASSERT_TRUE(xnor_scales(d, args, scale.as<float>(), means.data()).ok());
    for (std::int64_t i = 0; i < images * out_h * out_w; ++i) {
      const std::int64_t image = i / (out_h * out_w), y = i / out_w % out_h, column = i % out_w;
      double sum = 0;
      for (std::int64_t t = 0; t < d.kernel_h * d.kernel_w; ++t) {
        const std::int64_t at_y = y * d.stride_h + t / d.kernel_w * d.dilation_h - d.pad_top,
                           at_x = column * d.stride_w + t % d.kernel_w * d.dilation_w - d.pad_left;
        if (at_y < 0 || at_y >= h || at_x < 0 || at_x >= w) continue;
        for (std::int64_t p = 0; p < c; ++p)
          sum += std::fabs(load(x.data(), Type::f32, ((image * h + at_y) * w + at_x) * stride + p));
      }
      ASSERT_NEAR(scale.as<float>()[i], sum / static_cast<double>(d.kernel_h * d.kernel_w * c), 1e-6)
          << &d - all << ": " << y << ',' << column;
    }
  }
}

/// A whole XNOR-Net layer, from floats to floats, beside the formula.
TEST_P(Bits, XnorNetLayer) {
  Rng rng(9);
  for (Type type : {Type::f32, Type::bf16, Type::f16}) {
    constexpr std::int64_t h = 6, w = 5, c = 37, n = 19, taps = 9, images = 2;
    std::vector<float> filters(n * taps * c);
    for (float& x : filters) x = static_cast<float>(rng.real(-1, 1));
    const Guarded x = guarded_values(rng, type, images * h * w * c, 1);

    std::vector<unsigned char> bits(n * taps * bit_row_bytes(c));
    std::vector<float> alpha(n);
    ASSERT_TRUE(xnor_filters({n, 3, 3, c, filters.data()}, bits.data(), alpha.data()).ok());
    std::vector<std::int32_t> tap_sums(taps * n);
    WeightsDesc desc;
    ASSERT_TRUE(prepare_filters({n, 3, 3, c, bits.data()}, &desc, tap_sums.data()).ok());
    desc.scale = alpha.data(), desc.scale_per = Per::column, desc.cap = GetParam();
    const Packed p = packed(desc);
    ASSERT_TRUE(p.status.ok()) << p.status.reason;

    ConvDesc layer;
    layer.h = h, layer.w = w, layer.c = c, layer.kernel_h = layer.kernel_w = 3;
    layer.pad_top = layer.pad_left = layer.pad_bottom = layer.pad_right = 1;
    layer.padding = Padding::zero, layer.tap_sums = tap_sums.data();
    layer.gemm.a = type, layer.gemm.c = Type::f32, layer.gemm.a_scale_per = Per::row, layer.gemm.cap = GetParam();
    Conv conv;
    ASSERT_TRUE(Conv::plan(layer, p.weights, &conv).ok());
    std::vector<float> scale(images * h * w), means(images * h * w), out(images * h * w * n);
    ConvArgs args;
    args.images = images, args.a = x.data(), args.a_stride = c;
    ASSERT_TRUE(xnor_scales(layer, args, scale.data(), means.data(), {2, schedules[0].for_each, nullptr}).ok());
    args.a_scale = scale.data(), args.c = out.data(), args.c_stride = n;
    std::vector<unsigned char> scratch(conv.scratch_size(images));
    ASSERT_TRUE(conv.run(args, scratch.data(), scratch.size()).ok());

    for (std::int64_t i = 0; i < images * h * w; ++i) {
      const std::int64_t image = i / (h * w), y = i / w % h, column = i % w;
      double k = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        double magnitude = 0;
        float sum = 0;
        k = 0;
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t at_y = y + t / 3 - 1, at_x = column + t % 3 - 1;
          for (std::int64_t p = 0; p < c; ++p) {
            const float f = filters[(j * taps + t) * c + p];
            magnitude += std::fabs(f);
            if (at_y < 0 || at_y >= h || at_x < 0 || at_x >= w) continue;
            const float v = load(x.data(), type, ((image * h + at_y) * w + at_x) * c + p);
            k += std::fabs(v);
            sum += (v >= 0) == (f >= 0) ? 1.0f : -1.0f;
          }
        }
        ASSERT_NEAR(alpha[j], magnitude / (taps * c), 1e-6);
        ASSERT_NEAR(scale[i], k / (taps * c), 1e-6);
        ASSERT_EQ(out[i * n + j], sum * scale[i] * alpha[j]) << i << ',' << j;
      }
    }
    args.a_stride = c - 1;
    EXPECT_EQ(xnor_scales(layer, args, scale.data(), means.data()).code, Code::invalid_argument);
    layer.gemm.a = Type::s8;
    EXPECT_EQ(xnor_scales(layer, args, scale.data(), means.data()).code, Code::unsupported);
  }
  const float nan[] = {std::nanf("")};
  unsigned char bits[4];
  float alpha;
  EXPECT_EQ(xnor_filters({1, 1, 1, 1, nan}, bits, &alpha).code, Code::invalid_argument);
}

}  // namespace
}  // namespace narrow::test
