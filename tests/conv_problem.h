// A convolution of bits with its data, and its definition in plain loops. Free of GoogleTest: the fuzzer draws such problems
// too.
#pragma once

#include <cstring>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "narrow/conv.h"
#include "tests/guarded.h"
#include "tests/operands.h"
#include "tests/packed.h"
#include "tests/reference.h"
#include "tests/rng.h"
#include "tests/typed_values.h"

namespace narrow::test {

struct ConvCase {
  std::int64_t images, h, w, c, n, kernel_h, kernel_w;
  std::int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
  std::int64_t gap = 0;  ///< elements (bytes of bits) between pixels
  std::int64_t groups = 1;
};

inline std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  return out << c.images << 'x' << c.h << 'x' << c.w << 'x' << c.c << " n " << c.n << " kernel " << c.kernel_h << 'x'
             << c.kernel_w << " stride " << c.stride_h << ',' << c.stride_w << " dilation " << c.dilation_h << ','
             << c.dilation_w << " pad " << c.top << ',' << c.left << ',' << c.bottom << ',' << c.right << " gap " << c.gap
             << " groups " << c.groups;
}

/// What is convolved with what, and what becomes of it.
struct ConvOptions {
  Padding padding;
  Type c;
  Type a = Type::b1;                ///< floats, u8 and s8: become bits
  Type operand = Type::b1;          ///< s8: A is u8 or s8
  Given a_threshold = Given::each;  ///< each: of channels
  PoolWindow pool = {};
  bool accumulate = false;
  Bias bias = Bias::f32;  ///< What follows is left out where the output does not take it.
  bool row_scales = true;
  Type residual = Type::f32;
  Activation activation = Activation::relu;
  Requantize requantize = Requantize::float_multiplier;
  Edge edge = Edge::back;  ///< of all arrays
};

/// Everything is drawn from the case's number.
class ConvProblem {
 public:
  ConvProblem(const ConvCase& c, const ConvOptions& options) : case_(c), edge_(options.edge) {
    Rng rng(static_cast<std::uint64_t>(c.h * 100 + c.c * 7 + c.n));
    const std::int64_t of_group = c.c / c.groups, tap = bit_row_bytes(of_group), taps = c.kernel_h * c.kernel_w;
    a_stride_ = elements_of(options.a, c.c) + c.gap;
    GemmDesc& g = desc_.gemm;
    g.a = options.a;
    weights_desc_.operand = options.operand;
    draw_a(rng, c.images * c.h * c.w, options.a_threshold);
    b_ = bits(rng, c.n * taps, of_group, tap);
    tap_sums_ = Guarded(static_cast<std::size_t>(taps * c.n) * sizeof(std::int32_t), alignof(std::int32_t), edge_);
    filters_ = {c.n, c.kernel_h, c.kernel_w, of_group, b_.data(), c.groups};
    conv_h_ = conv_output(c.h, c.kernel_h, c.stride_h, c.dilation_h, c.top + c.bottom);
    conv_w_ = conv_output(c.w, c.kernel_w, c.stride_w, c.dilation_w, c.left + c.right);
    const PoolWindow& p = options.pool;
    out_h_ = p.h ? conv_output(conv_h_, p.h, p.stride_h, 1, p.pad_top + p.pad_bottom) : conv_h_;
    out_w_ = p.h ? conv_output(conv_w_, p.w, p.stride_w, 1, p.pad_left + p.pad_right) : conv_w_;
    const GemmDesc gemm = g;
    desc_ = {c.h,        c.w,        c.c,          c.kernel_h,      c.kernel_w,
             c.stride_h, c.stride_w, c.dilation_h, c.dilation_w,    c.top,
             c.left,     c.bottom,   c.right,      options.padding, tap_sums_.as<std::int32_t>(),
             p,          c.groups,   gemm};
    draw_output(rng, options);
  }

  /// What is wrong, or nothing.
  std::string check(Tier tier, const Parallel& parallel = serial()) {
    std::string difference;
    const Status s = run(tier, parallel, &difference);
    return s.ok() ? difference : s.reason;
  }

  /// Computes it and compares it with the definition.
  Status run(Tier tier, const Parallel& parallel, std::string* difference) {
    weights_desc_.cap = desc_.gemm.cap = tier;
    if (Status s = pack(); !s.ok()) return s;
    Conv conv;
    if (Status s = Conv::plan(desc_, weights_, &conv); !s.ok()) return s;
    Guarded scratch(conv.scratch_size(case_.images, parallel.threads), 1, edge_);
    expected();
    c_ = Guarded(initial_c_.size(), std::max<std::size_t>(1, size_of(desc_.gemm.c)), edge_);
    if (c_.size() != 0) std::memcpy(c_.data(), initial_c_.data(), c_.size());
    ConvArgs args = this->args();
    args.c = c_.data();
    if (Status s = conv.run(args, scratch.data(), scratch.size(), parallel); !s.ok()) return s;
    std::ostringstream out;
    if (!c_.margins_intact() || !scratch.margins_intact()) out << "written outside (" << case_ << ")";
    for (std::size_t i = 0; i < expected_.size() && out.str().empty(); ++i)
      if (c_.data()[i] != expected_[i])
        out << "byte " << i << " of " << expected_.size() << " by " << conv.info().kernel << " (" << case_ << ", padding "
            << int(desc_.padding) << ", " << name(desc_.gemm.a) << " to " << name(desc_.gemm.c) << ")";
    *difference = out.str();
    return {};
  }

  /// Makes weights() under the descriptions' cap.
  Status pack() {
    if (Status s = prepare_filters(filters_, &weights_desc_, tap_sums_.as<std::int32_t>()); !s.ok()) return s;
    packed_ = packed(weights_desc_);
    if (!packed_.status.ok()) return packed_.status;
    return Weights::open(packed_.blob.data(), packed_.blob.size(), &weights_);
  }

  ConvArgs args() const {
    ConvArgs args;
    args.images = case_.images;
    args.a = a_.data();
    args.a_stride = a_stride_;
    args.c_stride = c_stride_;
    args.a_scale = row_scale_.as<float>();
    args.residual = residual_.data();
    args.residual_stride = residual_stride_;
    return args;
  }
  ConvDesc& desc() { return desc_; }
  WeightsDesc& weights_desc() { return weights_desc_; }
  const Weights& weights() const { return weights_; }
  Guarded& a() { return a_; }
  /// What the last run wrote, and what it should have. Computed once, from the A of that time.
  const Guarded& c() const { return c_; }
  const std::vector<unsigned char>& expected() {
    if (expected_.empty()) reference();
    return expected_;
  }

 private:
  void draw_a(Rng& rng, std::int64_t pixels, Given threshold) {
    GemmDesc& g = desc_.gemm;
    const std::int64_t c = case_.c;
    if (g.a == Type::b1) {
      a_ = bits(rng, pixels, c, a_stride_);
      return;
    }
    a_ = guarded_values(rng, g.a, static_cast<std::int64_t>(matrix_elements(pixels, c, a_stride_)), 1, edge_);
    if (weights_desc_.operand == Type::b1) {
      g.a_threshold_per = threshold == Given::tensor ? Per::tensor : Per::column;
      if (threshold == Given::none) return;
      const double most = is_float(g.a) ? 0.5 : 64;
      a_threshold_ = draw<float>(threshold == Given::each ? c : 1, rng, -most, most);
      g.a_threshold = a_threshold_.as<float>();
    } else {
      g.a_zero_point = static_cast<std::int32_t>(g.a == Type::u8 ? rng.between(0, 255) : rng.between(-128, 127));
    }
  }
  /// What channel `channel` of a pixel of A counts for.
  std::int32_t value(std::int64_t pixel, std::int64_t channel) const {
    const GemmDesc& g = desc_.gemm;
    if (g.a == Type::b1) return sign(a_.data(), pixel * a_stride_, channel);
    const float x = load(a_.data(), g.a, pixel * a_stride_ + channel);
    if (weights_desc_.operand != Type::b1) return static_cast<std::int32_t>(x) - g.a_zero_point;
    const float threshold = !g.a_threshold ? 0.0f : g.a_threshold[g.a_threshold_per == Per::column ? channel : 0];
    return x >= threshold ? 1 : -1;
  }
  template <class T>
  Guarded draw(std::int64_t count, Rng& rng, double lo, double hi) const {
    return guarded_array<T>(
        count, [&] { return static_cast<T>(rng.real(lo, hi)); }, edge_);
  }
  void draw_output(Rng& rng, const ConvOptions& o) {
    const std::int64_t n = case_.n, pixels = case_.images * conv_h_ * conv_w_;
    const bool bits = o.c == Type::b1, raw = bits || o.c == Type::s32, fixed = o.requantize == Requantize::fixed_point;
    GemmDesc& g = desc_.gemm;
    g.c = o.c;
    g.accumulate = o.accumulate;
    scale_ = draw<float>(n, rng, 0.5, 2);
    weights_desc_.scale = scale_.as<float>();
    weights_desc_.scale_per = Per::column;
    row_scale_ = draw<float>(pixels, rng, 0.5, 2);
    if (bits) draw_thresholds(rng);
    draw_bias(rng, o.bias == Bias::f32 && (raw || fixed) ? Bias::none : o.bias);
    c_stride_ = elements_of(o.c, n) + 1;
    initial_c_ = guarded_values(rng, o.c, c_elements(case_.images * out_h_ * out_w_), 99);
    if (raw) return;
    g.c_scale = o.operand == Type::s8 ? 20.0f : 1.5f;
    g.c_zero_point = o.c == Type::u8 ? 100 : 0;
    g.activation = o.activation, g.lo = -5, g.hi = 70, g.slope = 0.125f;
    g.requantize = o.requantize;
    if (fixed) return draw_multipliers(rng);
    if (o.row_scales) g.a_scale_per = Per::row;
    g.residual = o.residual, g.residual_scale = 0.25f, g.residual_zero_point = 3;
    residual_stride_ = n + case_.gap;
    residual_ =
        guarded_values(rng, o.residual, static_cast<std::int64_t>(matrix_elements(pixels, n, residual_stride_)), 9, edge_);
  }
  void draw_thresholds(Rng& rng) {
    threshold_ = draw<std::int32_t>(case_.n, rng, -9, 9);
    at_most_ = guarded_array<std::uint8_t>(
        case_.n, [&] { return static_cast<std::uint8_t>(rng.one_in(2)); }, edge_);
    desc_.gemm.threshold = threshold_.as<std::int32_t>(), desc_.gemm.at_most = at_most_.as<std::uint8_t>();
  }
  void draw_bias(Rng& rng, Bias kind) {
    if (kind == Bias::s32) {
      bias_ = draw<std::int32_t>(case_.n, rng, -30, 30);
      desc_.gemm.bias_s32 = bias_.as<std::int32_t>();
    } else if (kind == Bias::f32) {
      bias_ = draw<float>(case_.n, rng, -9, 9);
      desc_.gemm.bias_f32 = bias_.as<float>();
    }
  }
  void draw_multipliers(Rng& rng) {
    multiplier_ = draw<std::int32_t>(case_.n, rng, 0x1p30, 0x1p31);
    shift_ = draw<std::int32_t>(case_.n, rng, 30, 36);
    desc_.gemm.multiplier = multiplier_.as<std::int32_t>(), desc_.gemm.shift = shift_.as<std::int32_t>();
    desc_.gemm.multiplier_per = Per::column;
  }
  /// Of C with so many pixels.
  std::int64_t c_elements(std::int64_t pixels) const {
    return static_cast<std::int64_t>(matrix_elements(pixels, elements_of(desc_.gemm.c, case_.n), c_stride_));
  }
  Guarded bits(Rng& rng, std::int64_t rows, std::int64_t k, std::int64_t stride) const {
    std::vector<unsigned char> bytes(matrix_elements(rows, bit_row_bytes(k), stride));
    for (auto& b : bytes) b = static_cast<unsigned char>(rng.next());
    clear_padding(bytes.data(), rows, stride, k);
    return guarded_copy(bytes.data(), bytes.size(), edge_);
  }

  std::int32_t sum(std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t j) const {
    const ConvCase& c = case_;
    const std::int64_t of_group = c.c / c.groups, first = j / (c.n / c.groups) * of_group;
    std::int32_t total = 0;
    for (std::int64_t r = 0; r < c.kernel_h; ++r)
      for (std::int64_t s = 0; s < c.kernel_w; ++s) {
        const std::int64_t at_y = y * c.stride_h + r * c.dilation_h - c.top, at_x = x * c.stride_w + s * c.dilation_w - c.left;
        const bool inside = at_y >= 0 && at_y < c.h && at_x >= 0 && at_x < c.w;
        for (std::int64_t p = 0; p < of_group; ++p) {
          const std::int32_t a = inside ? values_[((image * c.h + at_y) * c.w + at_x) * c.c + first + p]
                                 : desc_.padding == Padding::zero     ? 0
                                 : desc_.padding == Padding::plus_one ? 1
                                                                      : -1;
          total += a * sign(b_.data(), ((j * c.kernel_h + r) * c.kernel_w + s) * bit_row_bytes(of_group), p);
        }
      }
    return total;
  }

  void reference() {
    if (case_.n == 0) return;
    values_.clear();
    for (std::int64_t i = 0; i < case_.images * case_.h * case_.w; ++i)
      for (std::int64_t p = 0; p < case_.c; ++p) values_.push_back(value(i, p));
    const std::int64_t pixels = case_.images * conv_h_ * conv_w_;
    const auto element = static_cast<std::int64_t>(size_of(desc_.gemm.c));
    const auto bytes = static_cast<std::size_t>(c_elements(pixels) * element);
    if (desc_.pool.h)
      expected_.resize(bytes);
    else
      expected_.assign(initial_c_.data(), initial_c_.data() + bytes);
    std::vector<std::int32_t> sums(static_cast<std::size_t>(case_.n));
    // What becomes of sums is the product's matter: of one without k, to which these are the bias.
    GemmDesc d = desc_.gemm;
    d.bias_s32 = sums.data();
    WeightsDesc w = weights_desc_;
    w.type = Type::b1, w.k = 0, w.n = case_.n;
    for (std::int64_t i = 0; i < pixels; ++i) {
      for (std::int64_t j = 0; j < case_.n; ++j)
        sums[static_cast<std::size_t>(j)] = sum(i / (conv_h_ * conv_w_), i / conv_w_ % conv_h_, i % conv_w_, j) +
                                            (desc_.gemm.bias_s32 != nullptr ? desc_.gemm.bias_s32[j] : 0);
      GemmArgs row;
      row.m = 1;
      row.c = expected_.data() + i * c_stride_ * element;
      row.a_scale = row_scale_.as<float>() + i;
      row.residual = residual_.data() + i * residual_stride_ * static_cast<std::int64_t>(size_of(desc_.gemm.residual));
      reference_gemm(d, w, row);
    }
    if (desc_.pool.h) pool();
  }

  /// What is expected of the convolution becomes what is expected of the pool.
  void pool() {
    const PoolWindow& p = desc_.pool;
    const std::vector<unsigned char> all = expected_;
    const std::int64_t row = bit_row_bytes(case_.n), pixels = case_.images * out_h_ * out_w_;
    expected_.assign(initial_c_.data(), initial_c_.data() + initial_c_.size());
    for (std::int64_t i = 0; i < pixels; ++i)
      for (std::int64_t byte = 0; byte < row; ++byte) {
        const std::int64_t image = i / (out_h_ * out_w_), top = i / out_w_ % out_h_ * p.stride_h - p.pad_top;
        const std::int64_t left = i % out_w_ * p.stride_w - p.pad_left;
        unsigned char any = 0;
        for (std::int64_t y = top; y < top + p.h; ++y)
          for (std::int64_t x = left; x < left + p.w; ++x)
            if (y >= 0 && y < conv_h_ && x >= 0 && x < conv_w_)
              any |= all[((image * conv_h_ + y) * conv_w_ + x) * c_stride_ + byte];
        expected_[i * c_stride_ + byte] = any;
      }
  }

  ConvCase case_;
  Edge edge_;
  ConvDesc desc_;
  ConvFilters filters_;
  WeightsDesc weights_desc_;
  Packed packed_;
  Weights weights_;
  Guarded a_, b_, c_, initial_c_, a_threshold_, row_scale_, scale_, bias_, tap_sums_, residual_, threshold_, at_most_;
  Guarded multiplier_, shift_;
  std::vector<std::int32_t> values_;  ///< of A, [pixel][channel]
  std::vector<unsigned char> expected_;
  std::int64_t a_stride_ = 0, c_stride_ = 0, residual_stride_ = 0, conv_h_ = 0, conv_w_ = 0, out_h_ = 0, out_w_ = 0;
};

}  // namespace narrow::test
