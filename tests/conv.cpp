// Convolutions of bits against the definition in plain loops: geometry, all three paddings, outputs, strides, threads.
#include "narrow/conv.h"

#include "tests/parallels.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Convolution : public TierTest {};
NARROW_FOR_EACH_TIER(Convolution);

struct ConvCase {
  std::int64_t images, h, w, c, n, kernel_h, kernel_w;
  std::int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
  std::int64_t gap = 0;  ///< bytes between pixels
};

std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  return out << c.images << 'x' << c.h << 'x' << c.w << 'x' << c.c << " n " << c.n << " kernel " << c.kernel_h << 'x'
             << c.kernel_w << " stride " << c.stride_h << ',' << c.stride_w << " dilation " << c.dilation_h << ','
             << c.dilation_w << " pad " << c.top << ',' << c.left << ',' << c.bottom << ',' << c.right << " gap " << c.gap;
}

const ConvCase cases[] = {
    {1, 5, 6, 3, 5, 3, 3},
    {2, 7, 7, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 8, 9, 33, 17, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
    {3, 4, 5, 100, 70, 1, 1},
    {1, 9, 9, 128, 48, 5, 3, 1, 2, 1, 1, 2, 1, 2, 1, 4},
    {1, 11, 10, 40, 33, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3},
    {1, 6, 6, 64, 9, 2, 4, 3, 1, 1, 1, 0, 3, 1, 0, 8},
    {2, 3, 3, 256, 130, 3, 3, 1, 1, 1, 1, 2, 0, 0, 2},
    {1, 1, 1, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 2, 2, 8, 8, 3, 3},  // no output at all
    {5, 12, 12, 32, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
};

/// What is convolved with what, and what becomes of it.
struct Options {
  Padding padding;
  Type c;
  Type a = Type::b1;        ///< f32: becomes bits, by a threshold for each channel
  Type operand = Type::b1;  ///< s8: A is u8 or s8
  PoolWindow pool = {};
};

/// A case with its data. Everything is drawn from the case's number.
class ConvProblem {
 public:
  ConvProblem(const ConvCase& c, Padding padding, Type type) : ConvProblem(c, Options{padding, type}) {}
  ConvProblem(const ConvCase& c, const Options& options) : case_(c) {
    const Type type = options.c;
    Rng rng(static_cast<std::uint64_t>(c.h * 100 + c.c * 7 + c.n));
    const std::int64_t tap = bit_row_bytes(c.c), taps = c.kernel_h * c.kernel_w;
    a_stride_ = elements_of(options.a, c.c) + c.gap;
    desc_.gemm.a = options.a;
    draw_a(rng, c.images * c.h * c.w);
    weights_desc_.operand = options.operand;
    b_ = bits(rng, c.n * taps, tap);
    tap_sums_.resize(static_cast<std::size_t>(taps * c.n));
    EXPECT_TRUE(prepare_filters({c.n, c.kernel_h, c.kernel_w, c.c, b_.data()}, &weights_desc_, tap_sums_.data()).ok());
    conv_h_ = conv_output(c.h, c.kernel_h, c.stride_h, c.dilation_h, c.top + c.bottom);
    conv_w_ = conv_output(c.w, c.kernel_w, c.stride_w, c.dilation_w, c.left + c.right);
    const PoolWindow& p = options.pool;
    out_h_ = p.h ? conv_output(conv_h_, p.h, p.stride_h, 1, p.pad_top + p.pad_bottom) : conv_h_;
    out_w_ = p.h ? conv_output(conv_w_, p.w, p.stride_w, 1, p.pad_left + p.pad_right) : conv_w_;
    const std::int64_t pixels = c.images * conv_h_ * conv_w_;
    const GemmDesc gemm = desc_.gemm;
    desc_ = {c.h,   c.w,    c.c,      c.kernel_h, c.kernel_w,      c.stride_h,       c.stride_w, c.dilation_h, c.dilation_w,
             c.top, c.left, c.bottom, c.right,    options.padding, tap_sums_.data(), p,          gemm};
    GemmDesc& g = desc_.gemm;
    g.c = type;
    for (std::int64_t j = 0; j < c.n; ++j) {
      scale_.push_back(static_cast<float>(rng.real(0.5, 2)));
      bias_.push_back(static_cast<float>(rng.real(-9, 9)));
      threshold_.push_back(static_cast<std::int32_t>(rng.between(-9, 9)));
      at_most_.push_back(static_cast<std::uint8_t>(rng.one_in(2)));
    }
    if (type == Type::f32)
      g.bias_f32 = bias_.data(), g.a_scale_per = Per::row, g.activation = Activation::relu, g.residual = Type::f32;
    if (type == Type::b1) g.threshold = threshold_.data(), g.at_most = at_most_.data();
    weights_desc_.scale = scale_.data();
    weights_desc_.scale_per = Per::column;
    for (std::int64_t i = 0; i < pixels; ++i) row_scale_.push_back(static_cast<float>(rng.real(0.5, 2)));
    for (std::int64_t i = 0; i < pixels * c.n; ++i) residual_.push_back(static_cast<float>(rng.real(-9, 9)));
    c_stride_ = (type == Type::b1 ? bit_row_bytes(c.n) : c.n) + 1;
    reference();
  }

  testing::AssertionResult check(Tier tier, const Parallel& parallel = serial()) {
    weights_desc_.cap = desc_.gemm.cap = tier;
    std::size_t bytes = 0;
    if (Status s = Weights::packed_size(weights_desc_, &bytes); !s.ok()) return testing::AssertionFailure() << s.reason;
    Guarded blob(bytes, Weights::alignment);
    Weights weights;
    if (Status s = Weights::pack(weights_desc_, blob.data(), bytes, &weights); !s.ok())
      return testing::AssertionFailure() << s.reason;
    Conv conv;
    if (Status s = Conv::plan(desc_, weights, &conv); !s.ok()) return testing::AssertionFailure() << s.reason;
    Guarded scratch(conv.scratch_size(case_.images, parallel.threads));
    Guarded c(expected_.size());
    ConvArgs args = this->args();
    args.c = c.data();
    if (Status s = conv.run(args, scratch.data(), scratch.size(), parallel); !s.ok())
      return testing::AssertionFailure() << s.reason;
    if (!c.margins_intact() || !scratch.margins_intact())
      return testing::AssertionFailure() << "written outside (" << case_ << ")";
    for (std::size_t i = 0; i < expected_.size(); ++i)
      if (c.data()[i] != expected_[i])
        return testing::AssertionFailure() << "byte " << i << " of " << expected_.size() << " by " << conv.info().kernel << " ("
                                           << case_ << ", padding " << int(desc_.padding) << ", " << name(desc_.gemm.c) << ")";
    return testing::AssertionSuccess();
  }

  ConvArgs args() const {
    ConvArgs args;
    args.images = case_.images;
    args.a = a_.data();
    args.a_stride = a_stride_;
    args.c_stride = c_stride_;
    args.a_scale = row_scale_.data();
    args.residual = residual_.data();
    args.residual_stride = case_.n;
    return args;
  }
  ConvDesc& desc() { return desc_; }
  WeightsDesc& weights_desc() { return weights_desc_; }
  Guarded& a() { return a_; }

 private:
  /// A, and what its values count for, in values_.
  void draw_a(Rng& rng, std::int64_t pixels) {
    GemmDesc& g = desc_.gemm;
    const std::int64_t c = case_.c;
    values_.resize(static_cast<std::size_t>(pixels * c));
    if (g.a == Type::b1) {
      a_ = bits(rng, pixels, a_stride_);
      for (std::int64_t i = 0; i < pixels * c; ++i) values_[i] = sign(a_.data(), i / c * a_stride_, i % c);
    } else if (g.a == Type::f32) {
      std::vector<float> a(matrix_elements(pixels, c, a_stride_));
      for (float& x : a) x = static_cast<float>(rng.real(-1, 1));
      for (std::int64_t i = 0; i < c; ++i) a_threshold_.push_back(static_cast<float>(rng.real(-0.5, 0.5)));
      for (std::int64_t i = 0; i < pixels * c; ++i) values_[i] = a[i / c * a_stride_ + i % c] >= a_threshold_[i % c] ? 1 : -1;
      a_ = guarded_copy(a.data(), a.size());
      g.a_threshold = a_threshold_.data();
      g.a_threshold_per = Per::column;
    } else {
      std::vector<unsigned char> a(matrix_elements(pixels, c, a_stride_));
      for (auto& x : a) x = static_cast<unsigned char>(rng.next());
      g.a_zero_point = static_cast<std::int32_t>(g.a == Type::u8 ? rng.between(0, 255) : rng.between(-128, 127));
      for (std::int64_t i = 0; i < pixels * c; ++i) {
        const unsigned char x = a[i / c * a_stride_ + i % c];
        values_[i] = (g.a == Type::u8 ? x : static_cast<signed char>(x)) - g.a_zero_point;
      }
      a_ = guarded_copy(a.data(), a.size());
    }
  }
  Guarded bits(Rng& rng, std::int64_t rows, std::int64_t stride) {
    std::vector<unsigned char> bytes(matrix_elements(rows, bit_row_bytes(case_.c), stride));
    for (auto& b : bytes) b = static_cast<unsigned char>(rng.next());
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t p = case_.c; p < 8 * bit_row_bytes(case_.c); ++p)
        bytes[i * stride + p / 8] &= static_cast<unsigned char>(~(1u << (p % 8)));
    return guarded_copy(bytes.data(), bytes.size());
  }

  std::int32_t sum(std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t j) const {
    const ConvCase& c = case_;
    std::int32_t total = 0;
    for (std::int64_t r = 0; r < c.kernel_h; ++r)
      for (std::int64_t s = 0; s < c.kernel_w; ++s) {
        const std::int64_t at_y = y * c.stride_h + r * c.dilation_h - c.top, at_x = x * c.stride_w + s * c.dilation_w - c.left;
        const bool inside = at_y >= 0 && at_y < c.h && at_x >= 0 && at_x < c.w;
        for (std::int64_t p = 0; p < c.c; ++p) {
          const std::int32_t a = inside                               ? values_[((image * c.h + at_y) * c.w + at_x) * c.c + p]
                                 : desc_.padding == Padding::zero     ? 0
                                 : desc_.padding == Padding::plus_one ? 1
                                                                      : -1;
          total += a * sign(b_.data(), ((j * c.kernel_h + r) * c.kernel_w + s) * bit_row_bytes(c.c), p);
        }
      }
    return total;
  }

  void reference() {
    const std::int64_t pixels = case_.images * conv_h_ * conv_w_;
    const auto element = static_cast<std::int64_t>(size_of(desc_.gemm.c));
    const std::int64_t row = desc_.gemm.c == Type::b1 ? bit_row_bytes(case_.n) : case_.n * element;
    expected_.assign(matrix_elements(pixels, row, c_stride_ * element), Guarded::pattern);
    for (std::int64_t i = 0; i < pixels; ++i) {
      unsigned char* to = expected_.data() + i * c_stride_ * element;
      if (desc_.gemm.c == Type::b1) std::memset(to, 0, static_cast<std::size_t>(row));
      for (std::int64_t j = 0; j < case_.n; ++j) {
        const std::int32_t s = sum(i / (conv_h_ * conv_w_), i / conv_w_ % conv_h_, i % conv_w_, j);
        if (desc_.gemm.c == Type::s32) {
          std::memcpy(to + 4 * j, &s, 4);
        } else if (desc_.gemm.c == Type::f32) {
          float y = std::fmaf(static_cast<float>(s) * row_scale_[i], scale_[j], bias_[j]) + residual_[i * case_.n + j];
          y = std::max(0.0f, y);
          std::memcpy(to + 4 * j, &y, 4);
        } else if (at_most_[j] ? s <= threshold_[j] : s >= threshold_[j]) {
          to[j / 8] |= static_cast<unsigned char>(1u << (j % 8));
        }
      }
    }
    if (desc_.pool.h) pool();
  }

  /// What is expected of the convolution becomes what is expected of the pool.
  void pool() {
    const PoolWindow& p = desc_.pool;
    const std::vector<unsigned char> all = expected_;
    const std::int64_t row = bit_row_bytes(case_.n), pixels = case_.images * out_h_ * out_w_;
    expected_.assign(matrix_elements(pixels, row, c_stride_), Guarded::pattern);
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
  ConvDesc desc_;
  WeightsDesc weights_desc_;
  Guarded a_, b_;
  std::vector<std::int32_t> tap_sums_, threshold_;
  std::vector<std::uint8_t> at_most_;
  std::vector<std::int32_t> values_;
  std::vector<float> scale_, bias_, row_scale_, residual_, a_threshold_;
  std::vector<unsigned char> expected_;
  std::int64_t a_stride_ = 0, c_stride_ = 0, conv_h_ = 0, conv_w_ = 0, out_h_ = 0, out_w_ = 0;
};

TEST_P(Convolution, EqualsTheDefinition) {
  for (const ConvCase& c : cases)
    for (Padding padding : {Padding::minus_one, Padding::plus_one, Padding::zero})
      for (Type type : {Type::s32, Type::f32, Type::b1}) ASSERT_TRUE(ConvProblem(c, padding, type).check(GetParam()));
}

TEST_P(Convolution, ValuesThatBecomeBits) {
  for (const ConvCase& c : cases)
    for (Padding padding : {Padding::plus_one, Padding::zero})
      ASSERT_TRUE(ConvProblem(c, Options{.padding = padding, .c = Type::s32, .a = Type::f32}).check(GetParam()));
}

TEST_P(Convolution, OfBytes) {
  for (const ConvCase& c : cases)
    for (Type a : {Type::u8, Type::s8})
      for (Type type : {Type::s32, Type::f32, Type::b1})
        ASSERT_TRUE(
            ConvProblem(c, Options{.padding = Padding::zero, .c = type, .a = a, .operand = Type::s8}).check(GetParam()));
}

TEST_P(Convolution, Pooled) {
  const PoolWindow windows[] = {{2, 2, 2, 2}, {3, 3, 2, 2, 1, 1, 1, 1}, {1, 3, 1, 2, 0, 2, 0, 0}};
  for (const ConvCase& c : cases)
    for (const PoolWindow& window : windows) {
      const std::int64_t reach = c.dilation_h * (c.kernel_h - 1) + 1;
      if (c.h + c.top + c.bottom < reach) continue;
      ASSERT_TRUE(ConvProblem(c, Options{.padding = Padding::zero, .c = Type::b1, .pool = window}).check(GetParam()));
    }
}

TEST_P(Convolution, ThreadsAndManyImages) {
  const ConvCase c{40, 7, 7, 64, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  for (Type type : {Type::s32, Type::b1}) {
    ConvProblem problem(c, Padding::zero, type);
    for (int threads : {1, 2, 3, 8})
      for (const Schedule& schedule : schedules)
        ASSERT_TRUE(problem.check(GetParam(), {threads, schedule.for_each, nullptr})) << threads;
  }
}

/// Two layers, bits to bits: what the first writes, the second reads.
TEST(Convolution, TwoLayers) {
  ConvProblem first({1, 8, 8, 48, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, Padding::plus_one, Type::b1);
  std::vector<unsigned char> out[2];
  for (Tier tier : {Tier::generic, available_tiers().back()}) {
    std::vector<unsigned char>& result = out[tier != Tier::generic];
    std::vector<unsigned char> between(8 * 8 * 8), blob_bytes[2];
    ConvProblem second({1, 8, 8, 40, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, Padding::zero, Type::b1);
    result.assign(4 * 4 * 8, 0);
    for (int layer = 0; layer < 2; ++layer) {
      ConvProblem& problem = layer == 0 ? first : second;
      problem.weights_desc().cap = problem.desc().gemm.cap = tier;
      std::size_t bytes = 0;
      ASSERT_TRUE(Weights::packed_size(problem.weights_desc(), &bytes).ok());
      Guarded blob(bytes, Weights::alignment);
      Weights weights;
      ASSERT_TRUE(Weights::pack(problem.weights_desc(), blob.data(), bytes, &weights).ok());
      Conv conv;
      ASSERT_TRUE(Conv::plan(problem.desc(), weights, &conv).ok());
      std::vector<unsigned char> scratch(conv.scratch_size(1));
      ConvArgs args = problem.args();
      args.c = layer == 0 ? between.data() : result.data();
      args.c_stride = 8;
      if (layer == 1) args.a = between.data(), args.a_stride = 8;
      const Status s = conv.run(args, scratch.data(), scratch.size());
      ASSERT_TRUE(s.ok()) << s.reason;
    }
  }
  if (available_tiers().back() != Tier::generic) {
    EXPECT_EQ(out[0], out[1]);
  }
  EXPECT_NE(out[0], std::vector<unsigned char>(out[0].size(), 0));
}

/// Two groups as two convolutions, each reading its channels of the image and writing its columns of C.
TEST(Convolution, Groups) {
  constexpr std::int64_t h = 5, w = 6, c = 32, n = 24, taps = 9;
  Rng rng(2);
  std::vector<unsigned char> image(h * w * 8), filters(2 * n * taps * 4);
  for (auto& x : image) x = static_cast<unsigned char>(rng.next());
  for (auto& x : filters) x = static_cast<unsigned char>(rng.next());
  std::vector<std::int32_t> out(h * w * 2 * n);
  for (int group = 0; group < 2; ++group) {
    WeightsDesc desc;
    std::vector<std::int32_t> tap_sums(taps * n);
    ASSERT_TRUE(prepare_filters({n, 3, 3, c, filters.data() + group * n * taps * 4}, &desc, tap_sums.data()).ok());
    std::size_t bytes = 0;
    ASSERT_TRUE(Weights::packed_size(desc, &bytes).ok());
    Guarded blob(bytes, Weights::alignment);
    Weights weights;
    ASSERT_TRUE(Weights::pack(desc, blob.data(), bytes, &weights).ok());
    ConvDesc d;
    d.h = h, d.w = w, d.c = c, d.kernel_h = d.kernel_w = 3;
    d.pad_top = d.pad_left = d.pad_bottom = d.pad_right = 1;
    d.padding = Padding::zero, d.tap_sums = tap_sums.data(), d.gemm.a = Type::b1;
    Conv conv;
    ASSERT_TRUE(Conv::plan(d, weights, &conv).ok());
    std::vector<unsigned char> scratch(conv.scratch_size(1));
    ConvArgs args;
    args.images = 1, args.a = image.data() + group * 4, args.a_stride = 8, args.c = out.data() + group * n,
    args.c_stride = 2 * n;
    ASSERT_TRUE(conv.run(args, scratch.data(), scratch.size()).ok());
  }
  for (std::int64_t i = 0; i < h * w; ++i)
    for (std::int64_t j = 0; j < 2 * n; ++j) {
      std::int32_t sum = 0;
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t y = i / w + t / 3 - 1, x = i % w + t % 3 - 1;
        for (std::int64_t p = 0; p < c && y >= 0 && y < h && x >= 0 && x < w; ++p)
          sum += sign(image.data(), (y * w + x) * 8 + j / n * 4, p) * sign(filters.data(), (j * taps + t) * 4, p);
      }
      ASSERT_EQ(out[i * 2 * n + j], sum) << i << ',' << j;
    }
}

TEST(Convolution, WhatIsRefused) {
  ConvProblem problem({1, 5, 6, 40, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, Padding::zero, Type::s32);
  std::size_t bytes = 0;
  ASSERT_TRUE(Weights::packed_size(problem.weights_desc(), &bytes).ok());
  Guarded blob(bytes, Weights::alignment);
  Weights weights;
  ASSERT_TRUE(Weights::pack(problem.weights_desc(), blob.data(), bytes, &weights).ok());
  Conv conv;
  EXPECT_EQ(conv.run(problem.args(), nullptr, 0).code, Code::invalid_argument);
  for (int what = 0; what < 10; ++what) {
    ConvDesc d = problem.desc();
    if (what == 0) d.h = 0;
    if (what == 1) d.stride_w = 0;
    if (what == 2) d.pad_left = -1;
    if (what == 3) d.c = 64 + 1;
    if (what == 4) d.kernel_w = 2;
    if (what == 5) d.tap_sums = nullptr;
    if (what == 6) d.padding = static_cast<Padding>(7);
    if (what == 7) d.pool = {2, 2, 2, 2};
    if (what == 8) d.gemm.a_zero_point_per = Per::row;
    if (what == 9) d.pool = {2, 2, 0, 2}, d.gemm.c = Type::b1;
    EXPECT_FALSE(Conv::plan(d, weights, &conv).ok()) << what;
  }
  EXPECT_FALSE(Conv::plan(problem.desc(), Weights{}, &conv).ok());
  ASSERT_TRUE(Conv::plan(problem.desc(), weights, &conv).ok());
  std::vector<unsigned char> scratch(conv.scratch_size(1));
  std::vector<std::int32_t> c(5 * 6 * 6);
  const auto run = [&](int what) {
    ConvArgs args = problem.args();
    args.c = c.data();
    if (what == 1) args.images = -1;
    if (what == 2) args.a = nullptr;
    if (what == 3) args.a_stride = 7;
    if (what == 4) args.c = nullptr;
    if (what == 5) args.c_stride = 4;
    return conv.run(args, scratch.data(), scratch.size() - (what == 6));
  };
  EXPECT_TRUE(run(0).ok());
  for (int what = 1; what <= 6; ++what) EXPECT_FALSE(run(what).ok()) << what;
  problem.a().make_writable();
  problem.a().data()[3 * 8 + 7] ^= 0x80;
  EXPECT_EQ(run(0).code, Code::invalid_argument);

  WeightsDesc desc;
  std::vector<unsigned char> filter(9 * 8, 0);
  EXPECT_TRUE(prepare_filters({1, 3, 3, 40, filter.data()}, &desc, nullptr).ok());
  filter[5 * 8 + 5] = 1;
  EXPECT_EQ(prepare_filters({1, 3, 3, 40, filter.data()}, &desc, nullptr).code, Code::invalid_argument);
  EXPECT_FALSE(prepare_filters({1, 0, 3, 40, filter.data()}, &desc, nullptr).ok());
  EXPECT_FALSE(prepare_filters({1, 3, 3, 40, nullptr}, &desc, nullptr).ok());
}

}  // namespace
}  // namespace narrow::test
