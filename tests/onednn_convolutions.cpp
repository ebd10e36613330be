// oneDNN's convolution of floats as an independent reference for those of bits: -1, +1 and 0 are floats like any others.
#include "bench/onednn_versions.h"
#include "narrow/conv.h"
#include "tests/guarded.h"
#include "tests/packed.h"
#include "tests/reference.h"
#include "tests/rng.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

struct Sizes {
  std::int64_t images, h, w, c, n, kernel, stride, dilation, pad, groups = 1;
};

constexpr Sizes sizes[] = {{1, 9, 8, 64, 32, 3, 1, 1, 1},     {2, 7, 7, 128, 48, 3, 2, 1, 1},  {1, 11, 12, 40, 17, 3, 1, 2, 2},
                           {1, 6, 6, 256, 64, 1, 1, 1, 0},    {1, 13, 13, 96, 70, 5, 1, 1, 2}, {3, 5, 4, 33, 9, 3, 2, 1, 0},
                           {1, 7, 6, 128, 64, 3, 1, 1, 1, 2}, {2, 6, 5, 60, 36, 3, 2, 1, 1, 3}};

/// NHWC images that are padded already, by filters [n][kernel][kernel][c / groups].
std::vector<float> onednn_convolution(const Sizes& s, std::vector<float> padded, std::vector<float> filters) {
  using namespace dnnl;
  const engine cpu(engine::kind::cpu, 0);
  const std::int64_t h = s.h + 2 * s.pad, w = s.w + 2 * s.pad;
  const std::int64_t out_h = conv_output(h, s.kernel, s.stride, s.dilation, 0),
                     out_w = conv_output(w, s.kernel, s.stride, s.dilation, 0);
  const memory::desc src({s.images, s.c, h, w}, memory::data_type::f32, memory::format_tag::nhwc);
  const memory::desc weights({s.groups, s.n / s.groups, s.c / s.groups, s.kernel, s.kernel}, memory::data_type::f32,
                             memory::format_tag::gohwi);
  const memory::desc dst({s.images, s.n, out_h, out_w}, memory::data_type::f32, memory::format_tag::nhwc);
  const memory::dims strides{s.stride, s.stride}, dilates{s.dilation - 1, s.dilation - 1}, none{0, 0};
  const auto pd = describe_onednn<convolution_forward>(cpu, prop_kind::forward_inference, algorithm::convolution_direct, src,
                                                       weights, dst, strides, dilates, none, none);
  std::vector<float> out(static_cast<std::size_t>(s.images * out_h * out_w * s.n));
  stream order(cpu);
  convolution_forward(pd).execute(order, {{DNNL_ARG_SRC, memory(src, cpu, padded.data())},
                                          {DNNL_ARG_WEIGHTS, memory(weights, cpu, filters.data())},
                                          {DNNL_ARG_DST, memory(dst, cpu, out.data())}});
  order.wait();
  return out;
}

TEST(OneDnnConvolution, IsTheSameOnEveryTier) {
  Rng rng(11);
  for (const Sizes& s : sizes)
    for (Type operand : {Type::b1, Type::s8})
      for (Padding padding : {Padding::minus_one, Padding::plus_one, Padding::zero}) {
        if (operand == Type::s8 && padding != Padding::zero) continue;
        // Images and filters as floats; bits are made of the floats.
        const std::int64_t h = s.h + 2 * s.pad, w = s.w + 2 * s.pad, zero_point = operand == Type::s8 ? 100 : 0;
        const float around = padding == Padding::zero ? 0.0f : padding == Padding::plus_one ? 1.0f : -1.0f;
        std::vector<float> padded(static_cast<std::size_t>(s.images * h * w * s.c), around), a;
        std::vector<std::uint8_t> bytes;
        for (std::int64_t i = 0; i < s.images; ++i)
          for (std::int64_t y = 0; y < s.h; ++y)
            for (std::int64_t x = 0; x < s.w; ++x)
              for (std::int64_t c = 0; c < s.c; ++c) {
                const std::int64_t byte = rng.between(0, 255);
                const float value = operand == Type::b1 ? (byte & 1 ? 1.0f : -1.0f) : static_cast<float>(byte - zero_point);
                a.push_back(value);
                bytes.push_back(static_cast<std::uint8_t>(byte));
                padded[((i * h + y + s.pad) * w + x + s.pad) * s.c + c] = value;
              }
        const std::int64_t taps = s.kernel * s.kernel;
        const std::int64_t c_of_group = s.c / s.groups;
        std::vector<float> filters(static_cast<std::size_t>(s.n * taps * c_of_group));
        for (float& f : filters) f = rng.one_in(2) ? 1.0f : -1.0f;

        BitRows rows;
        rows.rows = s.n * taps, rows.k = rows.stride = c_of_group, rows.bits_stride = bit_row_bytes(c_of_group);
        std::vector<unsigned char> filter_bits(static_cast<std::size_t>(rows.rows * rows.bits_stride));
        ASSERT_TRUE(pack_bits(rows, filters.data(), filter_bits.data()).ok());
        rows.rows = s.images * s.h * s.w, rows.k = rows.stride = s.c, rows.bits_stride = bit_row_bytes(s.c);
        std::vector<unsigned char> a_bits(static_cast<std::size_t>(rows.rows * rows.bits_stride));
        ASSERT_TRUE(pack_bits(rows, a.data(), a_bits.data()).ok());
        std::vector<std::int32_t> tap_sums(static_cast<std::size_t>(taps * s.n));
        const std::vector<float> expected = onednn_convolution(s, padded, filters);
        for (Tier tier : available_tiers()) {
          WeightsDesc desc;
          desc.operand = operand, desc.cap = tier;
          ASSERT_TRUE(
              prepare_filters({s.n, s.kernel, s.kernel, c_of_group, filter_bits.data(), s.groups}, &desc, tap_sums.data())
                  .ok());
          const Packed p = packed(desc);
          ASSERT_TRUE(p.status.ok()) << p.status.reason;
          ConvDesc d;
          d.h = s.h, d.w = s.w, d.c = s.c, d.kernel_h = d.kernel_w = s.kernel, d.stride_h = d.stride_w = s.stride;
          d.dilation_h = d.dilation_w = s.dilation, d.pad_top = d.pad_left = d.pad_bottom = d.pad_right = s.pad;
          d.padding = padding, d.tap_sums = tap_sums.data(), d.groups = s.groups;
          d.gemm.a = operand == Type::b1 ? Type::b1 : Type::u8, d.gemm.c = Type::f32, d.gemm.cap = tier;
          d.gemm.a_zero_point = static_cast<std::int32_t>(zero_point);
          Conv conv;
          ASSERT_TRUE(Conv::plan(d, p.weights, &conv).ok());
          std::vector<float> out(expected.size());
          std::vector<unsigned char> scratch(conv.scratch_size(s.images));
          ConvArgs args;
          args.images = s.images;
          args.a = operand == Type::b1 ? static_cast<const void*>(a_bits.data()) : bytes.data();
          args.a_stride = operand == Type::b1 ? bit_row_bytes(s.c) : s.c;
          args.c = out.data(), args.c_stride = s.n;
          ASSERT_TRUE(conv.run(args, scratch.data(), scratch.size()).ok());
          ASSERT_EQ(out, expected) << s.c << " channels, padding " << static_cast<int>(padding) << ", " << name(operand) << ", "
                                   << name(tier);
        }
      }
}

}  // namespace
}  // namespace narrow::test
