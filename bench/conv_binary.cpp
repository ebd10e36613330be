// Convolutions of bits: s32 C, beside oneDNN in u8 x s8 and in f32 on the same shape; then other outputs, and the yardstick
// that published factors are measured with, a naive loop over floats.
#include <iterator>
#include <optional>

#include "machine_limits.h"
#include "naive.h"
#include "narrow/conv.h"
#include "onednn.h"
#include "op.h"
#include "product.h"

namespace bench {
namespace {

using onednn::ConvSizes;

/// Images and filters as floats (NHWC, and [k][r][s][c]) and as bits.
struct ConvData {
  ConvSizes d;
  std::vector<float> a, b;
  Buffer a_bits, b_bits;

  explicit ConvData(const ConvSizes& sizes) : d(sizes) {
    Random random(static_cast<std::uint64_t>(d.h * 1000003 + d.c * 1009 + d.k));
    a_bits = fill(random, d.n * d.h * d.w, a);
    b_bits = fill(random, d.k * d.r * d.s, b);
  }

  // Output pixel (y,x) of image `image` and filter j, padded by zeros.
  float sum(std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t j) const {
    float total = 0;
    for (std::int64_t r = 0; r < d.r; ++r)
      for (std::int64_t s = 0; s < d.s; ++s) {
        const std::int64_t at_y = y * d.stride + r - d.pad, at_x = x * d.stride + s - d.pad;
        if (at_y < 0 || at_y >= d.h || at_x < 0 || at_x >= d.w) continue;
        const float* of_a = a.data() + ((image * d.h + at_y) * d.w + at_x) * d.c;
        const float* of_b = b.data() + ((j * d.r + r) * d.s + s) * d.c;
        total = naive_dot(of_a, of_b, d.c, total);
      }
    return total;
  }
  void naive(float* out) const {
    for (std::int64_t image = 0; image < d.n; ++image)
      for (std::int64_t y = 0; y < d.out_h(); ++y)
        for (std::int64_t x = 0; x < d.out_w(); ++x)
          for (std::int64_t j = 0; j < d.k; ++j) *out++ = sum(image, y, x, j);
  }

 private:
  Buffer fill(Random& random, std::int64_t rows, std::vector<float>& values) const {
    const std::int64_t stride = narrow::bit_row_bytes(d.c);
    Buffer bits(static_cast<std::size_t>(rows * stride));
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t c = 0; c < d.c; ++c) {
        const bool one = random.next() & 1;
        values.push_back(one ? 1.0f : -1.0f);
        if (one) bits.as<unsigned char>()[i * stride + c / 8] |= static_cast<unsigned char>(1u << (c % 8));
      }
    return bits;
  }
};

/// narrow's side of it, padded by zeros.
class BinaryConv {
 public:
  BinaryConv(const ConvData& data, narrow::Type a, narrow::Type c, const Settings& settings)
      : data_(data), parallel_(settings.parallel) {
    const ConvSizes& d = data.d;
    tap_sums_.resize(static_cast<std::size_t>(d.r * d.s * d.k));
    thresholds_.assign(static_cast<std::size_t>(d.k), 1);
    narrow::WeightsDesc weights;
    require(narrow::prepare_filters({d.k, d.r, d.s, d.c, data.b_bits.data()}, &weights, tap_sums_.data()), "filters");
    weights.cap = settings.cap();
    weights_.emplace(weights, parallel_);
    narrow::ConvDesc desc;
    desc.h = d.h, desc.w = d.w, desc.c = d.c;
    desc.kernel_h = d.r, desc.kernel_w = d.s;
    desc.stride_h = desc.stride_w = d.stride;
    desc.pad_top = desc.pad_left = desc.pad_bottom = desc.pad_right = d.pad;
    desc.padding = narrow::Padding::zero;
    desc.tap_sums = tap_sums_.data();
    desc.gemm.a = a;
    desc.gemm.c = c;
    desc.gemm.threshold = thresholds_.data();
    desc.gemm.cap = settings.cap();
    require(narrow::Conv::plan(desc, weights_->view(), &conv_), "plan");
    const std::int64_t pixels = d.n * d.out_h() * d.out_w();
    const std::int64_t row = c == narrow::Type::b1 ? narrow::bit_row_bytes(d.k) : d.k;
    c_ = Buffer(static_cast<std::size_t>(pixels * row) * narrow::size_of(c));
    scratch_ = Buffer(conv_.scratch_size(d.n, parallel_.threads));
    args_.images = d.n;
    const bool bits = a == narrow::Type::b1;
    row_of_a_ = bytes_of_row(a, d.c);
    args_.a = bits ? static_cast<const void*>(data.a_bits.data()) : data.a.data();
    args_.a_stride = bits ? narrow::bit_row_bytes(d.c) : d.c;
    args_.c = c_.data();
    args_.c_stride = row;
  }

  /// A, B and C of one call.
  double bytes() const {
    const double pixels = static_cast<double>(data_.d.n * data_.d.h * data_.d.w);
    return pixels * static_cast<double>(row_of_a_) + static_cast<double>(data_.b_bits.size() + c_.size());
  }
  void run() { require(conv_.run(args_, scratch_.data(), scratch_.size(), parallel_), "run"); }
  Contender contender() {
    return writing(c_, data_.d.macs(), [this] { run(); });
  }
  const narrow::Conv& conv() const { return conv_; }

  /// The sampled pixels, corners among them, as the naive loop has them.
  bool is_right(narrow::Type c) const {
    const ConvSizes& d = data_.d;
    const std::int64_t pixels = d.out_h() * d.out_w();
    for (std::int64_t pixel : {std::int64_t{0}, d.out_w() - 1, pixels / 2, pixels - 1})
      for (std::int64_t j = 0; j < d.k; ++j) {
        const float sum = data_.sum(0, pixel / d.out_w(), pixel % d.out_w(), j);
        const std::int64_t at = pixel * args_.c_stride + j;
        const bool right = c == narrow::Type::s32 ? static_cast<float>(c_.as<std::int32_t>()[at]) == sum
                           : c == narrow::Type::f32
                               ? c_.as<float>()[at] == sum
                               : (c_.as<unsigned char>()[pixel * args_.c_stride + j / 8] >> (j % 8) & 1) == (sum > 0);
        if (!right) return false;
      }
    return true;
  }

 private:
  const ConvData& data_;
  narrow::Parallel parallel_;
  std::vector<std::int32_t> tap_sums_, thresholds_;
  std::optional<PackedWeights> weights_;
  narrow::Conv conv_;
  narrow::ConvArgs args_;
  std::size_t row_of_a_ = 0;
  Buffer c_, scratch_;
};

std::vector<Row> measure_conv(const Shape& shape, const Settings& settings) {
  const auto& f = shape.dims;
  const ConvSizes sizes{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]};
  if (sizes.h + 2 * sizes.pad < sizes.r || sizes.w + 2 * sizes.pad < sizes.s)
    throw std::runtime_error("the kernel is larger than the image");
  const ConvData data(sizes);
  const struct {
    const char* variant;
    narrow::Type c;
    narrow::Type a = narrow::Type::b1;
  } outputs[] = {{"", narrow::Type::s32},
                 {"f32 out", narrow::Type::f32},
                 {"bits out: thresholds", narrow::Type::b1},
                 {"f32 in: made bits in the timed region", narrow::Type::s32, narrow::Type::f32}};
  std::vector<std::unique_ptr<BinaryConv>> convs;
  for (const auto& output : outputs) convs.push_back(std::make_unique<BinaryConv>(data, output.a, output.c, settings));
  const onednn::Convolution int8(narrow::Type::u8, sizes), direct(narrow::Type::f32, sizes),
      winograd(narrow::Type::f32, sizes, onednn::Algorithm::winograd);
  const Peak peak = binary_peak(settings.tier, settings.parallel);
  std::vector<float> naive_out(static_cast<std::size_t>(sizes.n * sizes.out_h() * sizes.out_w() * sizes.k));

  constexpr std::size_t count = std::size(outputs);
  Series rates[count], peak_rates, int8_rates, direct_rates, winograd_rates, naive_rates;
  std::vector<Entrant> entrants;
  for (std::size_t i = 0; i < count; ++i) entrants.push_back({convs[i]->contender(), &rates[i]});
  entrants.push_back({peak.loop, &peak_rates});
  if (int8.runnable()) entrants.push_back({int8.contender(), &int8_rates});
  if (direct.runnable()) entrants.push_back({direct.contender(), &direct_rates});
  if (winograd.runnable()) entrants.push_back({winograd.contender(), &winograd_rates});
  entrants.push_back({contender(sizes.macs(), [&] { data.naive(naive_out.data()); }), &naive_rates});
  measure(entrants, settings.seconds, settings.threads());

  bool exact[count];
  for (std::size_t i = 0; i < count; ++i) exact[i] = convs[i]->is_right(outputs[i].c);
  std::vector<Row> rows;
  const auto add = [&](std::size_t output, const char* variant, const Series& base, const char* base_name) {
    const narrow::GemmInfo info = convs[output]->conv().info();
    Row row;
    row.op = "conv_binary";
    row.shape = shape.text();
    row.variant = variant;
    row.threads = settings.threads();
    row.tier = narrow::name(info.tier);
    row.kernel = info.kernel;
    row.macs = sizes.macs();
    row.bytes = convs[output]->bytes();
    row.exact = exact[output];
    row.narrow = rates[output];
    row.base = base;
    row.base_name = base_name;
    rows.push_back(row);
  };
  add(0, outputs[0].variant, {}, "");
  for (std::size_t i = 1; i < count; ++i) add(i, outputs[i].variant, rates[0], "s32 out");
  add(0, "s32 out, beside a naive f32 loop", naive_rates, "naive f32 loop");
  const bool by_winograd = stat(winograd_rates).median > stat(direct_rates).median;  // FP32 is the best that there is
  if (by_winograd) add(0, "s32 out, beside oneDNN's direct f32", direct_rates, "direct f32");
  rows[0].onednn = int8_rates;
  rows[0].onednn_impl = int8.implementation();
  rows[0].fp32 = by_winograd ? winograd_rates : direct_rates;
  rows[0].fp32_impl = (by_winograd ? winograd : direct).implementation();
  rows[0].peak = peak_rates;
  rows[0].limit = rows[0].peak;
  rows[0].limit_name = peak.name;
  return rows;
}

}  // namespace

std::vector<Case> conv_binary_cases(const std::vector<Shape>& shapes, const Settings& settings) {
  std::vector<Case> cases;
  for (const Shape& shape : shapes)
    cases.push_back({"conv_binary/" + shape.text(), [shape, &settings] { return measure_conv(shape, settings); }});
  return cases;
}

}  // namespace bench
