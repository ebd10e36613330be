// One product with all its data in guarded memory: drawn from a Case, computed by the reference, compared to narrow.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <ostream>
#include <vector>

#include "src/bits.h"
#include "src/gemm.h"
#include "src/kernel.h"
#include "src/weights.h"
#include "tests/guarded.h"
#include "tests/reference.h"
#include "tests/rng.h"

namespace narrow::test {

/// Whether a parameter is given, and for what.
enum class Given { none, tensor, each, group };  ///< each: row of A, or column of B or C; group: of k, of a row of A

enum class Bias { none, s32, f32 };

/// What kind of numbers a float operand holds.
enum class FloatFill { ordinary, special };  ///< special: with NaN, infinities, denormals, huge and zero rows

/// Leaves garbage where the library's frames are going to lie on the stack: what it forgets to write is then noticed.
[[gnu::noinline]] inline void dirty_stack() {
  unsigned char garbage[96 << 10];
  std::memset(garbage, 0xa5, sizeof garbage);
  asm volatile("" : : "r"(garbage) : "memory");
}

/// Whether a blob with one byte damaged, any of every seventh, is refused.
inline void expect_damage_is_noticed(const Weights& weights) {
  Guarded copy(weights.bytes(), Weights::alignment);
  std::memcpy(copy.data(), weights.blob(), weights.bytes());
  Weights opened;
  for (std::size_t i = 0; i < copy.size(); i += 7) {
    copy.data()[i] ^= 0x10;
    EXPECT_EQ(Weights::open(copy.data(), copy.size(), &opened).code, Code::bad_weights) << "byte " << i;
    copy.data()[i] ^= 0x10;
  }
  EXPECT_TRUE(Weights::open(copy.data(), copy.size(), &opened).ok());
}

/// The options of a product. Plain values, so that generators can put any together.
struct Case {
  std::int64_t m = 1, n = 1, k = 1;
  Type a = Type::u8, b = Type::s8;
  Type operand = Type::b1;  ///< what b1 weights are multiplied with
  Fill a_fill = Fill::random, b_fill = Fill::random;
  FloatFill float_fill = FloatFill::ordinary;
  Dynamic dynamic = Dynamic::symmetric;
  Order order = Order::nk;
  Given a_zero_point = Given::none, b_zero_point = Given::none;
  Given a_scale = Given::none, b_scale = Given::none;
  Given a_threshold = Given::none;  ///< each: of k
  Type c = Type::s32;
  Bias bias = Bias::none;
  bool accumulate = false;
  Type residual = Type::none;
  bool residual_is_c = false;
  Activation activation = Activation::none;
  Requantize requantize = Requantize::float_multiplier;
  Given multiplier = Given::tensor;  ///< fixed_point: tensor or each
  std::int64_t pad = 0;              ///< elements that every stride is longer than its row
  Edge edge = Edge::back;
  std::uint64_t seed = 1;
  std::int64_t group = 0;              ///< size of B's groups of k
  Type group_scale = Type::f32;
  Type group_zero_point = Type::none;  ///< none: no zero points
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  auto type = [](Type t) { return t == Type::none ? "none" : name(t); };
  return out << "m=" << c.m << " n=" << c.n << " k=" << c.k << " a=" << type(c.a) << " b=" << type(c.b) << (c.b == Type::b1 ? " for " : "") << (c.b == Type::b1 ? type(c.operand) : "") << " thresholds=" << int(c.a_threshold)
             << " fill=" << int(c.a_fill) << ',' << int(c.b_fill)
             << ',' << int(c.float_fill) << " dynamic=" << int(c.dynamic) << " order=" << (c.order == Order::nk ? "nk" : "kn")
             << " zero_points=" << int(c.a_zero_point) << ',' << int(c.b_zero_point) << " scales=" << int(c.a_scale) << ','
             << int(c.b_scale) << " c=" << type(c.c) << " bias=" << int(c.bias) << " accumulate=" << c.accumulate
             << " residual=" << type(c.residual) << (c.residual_is_c ? "(C)" : "") << " activation=" << int(c.activation)
             << " requantize=" << int(c.requantize) << ',' << int(c.multiplier) << " group=" << c.group
             << ',' << type(c.group_scale) << ',' << type(c.group_zero_point) << " pad=" << c.pad << " edge=" << int(c.edge)
             << " seed=" << c.seed;
}

inline Per per(Given given, Per each) { return given == Given::each ? each : Per::tensor; }

/// A float with any finite exponent of its type's middle range, or anything at all.
inline float draw_float(Rng& rng, FloatFill fill) {
  if (fill == FloatFill::special) switch (rng.between(0, 9)) {
      case 0: return std::numeric_limits<float>::quiet_NaN();
      case 1: return std::numeric_limits<float>::infinity();
      case 2: return -std::numeric_limits<float>::infinity();
      case 3: return from_bits(static_cast<std::uint32_t>(rng.between(1, 0x7fffff)));  // denormal
      case 4: return static_cast<float>(rng.real(-3e38, 3e38));
      case 5: return -0.0f;
      default: break;
    }
  return static_cast<float>(rng.real(-8, 8));
}

class Problem {
 public:
  explicit Problem(const Case& c) : case_(c), rng_(c.seed) {
    draw_weights();
    draw_a();
    draw_epilogue();
    draw_c();
  }

  const Case& options() const { return case_; }
  const WeightsDesc& weights_desc() const { return weights_; }
  const GemmDesc& desc() const { return desc_; }
  GemmDesc& desc() { return desc_; }

  /// Packs into guarded memory of exactly the size that packed_size says: for the best tier under a cap ...
  [[nodiscard]] Status pack(Cap cap, Weights* out, const Parallel& parallel = serial()) {
    weights_.cap = cap;
    std::size_t bytes = 0;
    if (Status s = Weights::packed_size(weights_, &bytes); !s.ok()) return s;
    blob_ = Guarded(bytes, Weights::alignment);
    return packed(Weights::pack(weights_, blob_.data(), bytes, out, parallel));
  }
  /// ... or for one kernel row, dispatched or not.
  [[nodiscard]] Status pack(const Kernel& kernel, Weights* out, const Parallel& parallel = serial()) {
    std::size_t bytes = 0;
    if (Status s = WeightsAccess::packed_size(weights_, kernel, &bytes); !s.ok()) return s;
    blob_ = Guarded(bytes, Weights::alignment);
    return packed(WeightsAccess::pack(weights_, kernel, blob_.data(), bytes, out, parallel));
  }

  /// The last `m` rows, so that reading past the end of an operand faults for every m.
  GemmArgs args(std::int64_t m) {
    const std::int64_t skip = case_.m - m;
    GemmArgs g;
    g.m = m;
    g.a = a_.data() + bytes_of(case_.a, skip * a_stride_);
    g.a_stride = a_stride_;
    g.c = c_.data() + skip * c_stride_ * static_cast<std::int64_t>(size_of(case_.c));
    g.c_stride = c_stride_;
    if (case_.a_scale == Given::each) g.a_scale = a_scale_.as<float>() + skip;
    if (case_.a_scale == Given::group && !is_float(case_.a)) g.a_scale = a_scale_.as<float>() + skip * group_count(weights_);
    if (case_.a_zero_point == Given::each) g.a_zero_point = a_zero_point_.as<std::int32_t>() + skip;
    if (case_.residual != Type::none) {
      const Guarded& r = case_.residual_is_c ? c_ : residual_;
      g.residual_stride = case_.residual_is_c ? c_stride_ : residual_stride_;
      g.residual = r.data() + skip * g.residual_stride * static_cast<std::int64_t>(size_of(case_.residual));
    }
    return g;
  }
  GemmArgs args() { return args(case_.m); }

  /// Whether A is or becomes bits.
  bool bits() const { return case_.b == Type::b1 && case_.operand == Type::b1; }

  /// C as it was drawn.
  void reset_c() {
    if (c_.size() != 0) std::memcpy(c_.data(), initial_c_.data(), c_.size());
  }
  /// Makes what C holds now the C that every run begins with.
  void keep_c() {
    initial_c_.assign(c_.data(), c_.data() + c_.size());
    expected_.clear();
  }
  /// C as the reference leaves it. Computed once.
  const std::vector<unsigned char>& expected() {
    if (expected_.empty() && c_.size() != 0) {
      reset_c();
      reference_gemm(desc_, weights_, args());
      expected_.assign(c_.data(), c_.data() + c_.size());
      reset_c();
    }
    return expected_;
  }

  /// Whether all of C is one value: such a problem would hide most mistakes.
  bool trivial() {
    const std::size_t element = size_of(case_.c);
    expected();
    for (std::int64_t i = 0; i < case_.m; ++i)
      for (std::int64_t j = 0; j < elements_of(case_.c, case_.n); ++j)
        if (std::memcmp(&expected_[static_cast<std::size_t>(i * c_stride_ + j) * element], expected_.data(), element) != 0) return false;
    return true;
  }

  /// Runs the last m rows on a fresh C with scratch memory of exactly the size asked for, and compares every byte.
  testing::AssertionResult check(const Gemm& plan, std::int64_t m, const Parallel& parallel = serial()) {
    expected();
    reset_c();
    Guarded scratch(plan.scratch_size(m, parallel.threads), Gemm::scratch_alignment, case_.edge);
    dirty_stack();
    if (Status s = plan.run(args(m), scratch.data(), scratch.size(), parallel); !s.ok())
      return failed("run", s);
    if (!scratch.margins_intact()) return testing::AssertionFailure() << "written around the scratch memory (" << case_ << ")";
    return compare(plan.info().kernel, m);
  }

  /// Packs, plans and checks: through dispatch ...
  testing::AssertionResult check(Cap cap, const Parallel& parallel = serial()) {
    Weights weights;
    if (Status s = pack(cap, &weights, parallel); !s.ok()) return failed("pack", s);
    desc_.cap = cap;
    Gemm plan;
    if (Status s = Gemm::plan(desc_, weights, &plan); !s.ok()) return failed("plan", s);
    return check(plan, case_.m, parallel);
  }
  /// ... or with one kernel row.
  testing::AssertionResult check(const Kernel& kernel, const Parallel& parallel = serial()) {
    Gemm plan;
    if (testing::AssertionResult r = make_plan(kernel, &plan); !r) return r;
    return check(plan, case_.m, parallel);
  }
  testing::AssertionResult make_plan(const Kernel& kernel, Gemm* out) {
    Weights weights;
    if (Status s = pack(kernel, &weights); !s.ok()) return failed("pack", s);
    if (Status s = GemmAccess::plan(desc_, weights, kernel, out); !s.ok()) return failed("plan", s);
    return testing::AssertionSuccess();
  }

  /// C against the reference in the last m rows, and untouched everywhere else.
  testing::AssertionResult compare(const char* kernel, std::int64_t m) {
    const std::size_t element = size_of(case_.c);
    expected();
    for (std::size_t at = 0; at < c_.size(); at += element) {
      const std::int64_t index = static_cast<std::int64_t>(at / element), i = index / c_stride_, j = index % c_stride_;
      const bool written = i >= case_.m - m && j < elements_of(case_.c, case_.n);
      const unsigned char* want = (written ? expected_.data() : initial_c_.data()) + at;
      if (std::memcmp(want, c_.data() + at, element) == 0 || (written && both_nan(want, c_.data() + at))) continue;
      return testing::AssertionFailure() << (written ? "" : "written outside: ") << "row " << i - (case_.m - m) << " of " << m
                                         << ", column " << j << ": got " << show(c_.data() + at) << ", expected " << show(want)
                                         << " by " << kernel << " (" << case_ << ")";
    }
    if (!c_.margins_intact()) return testing::AssertionFailure() << "written around C by " << kernel << " (" << case_ << ")";
    return testing::AssertionSuccess();
  }

  Guarded& a() { return a_; }
  Guarded& c() { return c_; }
  Guarded& residual() { return residual_; }
  Guarded& b() { return b_; }
  /// One zero point for B, which must outlive the problem.
  void set_zero_point(const std::int32_t* zero_point) {
    weights_.zero_point = zero_point;
    weights_.zero_point_per = Per::tensor;
  }
  /// Scales of the columns, likewise.
  void set_scales(const float* scale) {
    weights_.scale = scale;
    weights_.scale_per = Per::column;
  }
  const Guarded& blob() const { return blob_; }

 private:
  testing::AssertionResult failed(const char* what, Status s) const {
    return testing::AssertionFailure() << what << ": " << s.reason << " (" << case_ << ")";
  }
  Status packed(Status s) {
    if (s.ok()) blob_.make_read_only();
    return s;
  }

  /// Which NaN comes out is the processor's choice.
  bool both_nan(const unsigned char* x, const unsigned char* y) const {
    return is_float(case_.c) && std::isnan(load(x, case_.c, 0)) && std::isnan(load(y, case_.c, 0));
  }

  std::string show(const unsigned char* element) const {
    char text[64];
    std::int32_t s32;
    switch (case_.c) {
      case Type::s32:
        std::memcpy(&s32, element, sizeof s32);
        std::snprintf(text, sizeof text, "%d", s32);
        break;
      case Type::b1:
        std::snprintf(text, sizeof text, "%02x", *element);
        break;
      case Type::s8:
      case Type::u8:
        std::snprintf(text, sizeof text, "%d", static_cast<int>(load(element, case_.c, 0)));
        break;
      default: {
        const float x = load(element, case_.c, 0);
        std::snprintf(text, sizeof text, "%.9g (%08x)", static_cast<double>(x), to_bits(x));
      }
    }
    return text;
  }

  template <class T, class Draw>
  Guarded draw_array(std::size_t count, Draw value) {
    std::vector<T> values(count);
    for (T& v : values) v = value();
    return guarded_copy(values.data(), count, case_.edge);
  }
  /// `count` values of an element type, in a layout that is drawn whole: padding is data like any other.
  Guarded draw_elements(Type type, std::size_t count, Fill fill) {
    switch (type) {
      case Type::b1:
      case Type::u8: return draw_array<std::uint8_t>(count, [&] { return draw<std::uint8_t>(rng_, fill); });
      case Type::s8: return draw_array<std::int8_t>(count, [&] { return draw<std::int8_t>(rng_, fill); });
      case Type::s32: return draw_array<std::int32_t>(count, [&] { return draw<std::int32_t>(rng_, fill); });
      case Type::f32: return draw_array<float>(count, [&] { return draw_float(rng_, case_.float_fill); });
      default: return draw_array<std::uint16_t>(count, [&] { return encode16(draw_float(rng_, case_.float_fill), format_of(type)); });
    }
  }

  /// About the size of y, so that outputs neither vanish nor all saturate.
  double magnitude() const {
    const double a_values = bits() ? 1.0 : is_4bit(case_.a) ? 8.0 : 150.0;
    const double a = is_float(case_.a) && !bits() ? 4.0 : a_values * (case_.a_scale == Given::none ? 1.0 : 1e-2);
    const double b = (case_.b == Type::b1 ? 1.0 : is_4bit(case_.b) ? 5.0 : 75.0) *
                     (case_.b_scale == Given::none && case_.group == 0 ? 1.0 : 1e-2);
    return a * b * std::sqrt(static_cast<double>(case_.k + 1));
  }

  /// Rows of bits end with zeros.
  void clear_padding(Guarded& bits, std::int64_t rows, std::int64_t stride) {
    bits.make_writable();
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t p = case_.k; p < 8 * bit_row_bytes(case_.k); ++p)
        bits.data()[i * stride + p / 8] &= static_cast<unsigned char>(~(1u << (p % 8)));
    bits.make_read_only();
  }

  void draw_weights() {
    const std::int64_t k = elements_of(case_.b, case_.k);
    const std::int64_t rows = case_.order == Order::nk ? case_.n : k, cols = case_.order == Order::nk ? k : case_.n;
    weights_.type = case_.b;
    weights_.operand = case_.operand;
    weights_.k = case_.k;
    weights_.n = case_.n;
    weights_.order = case_.order;
    weights_.stride = case_.pad != 0 ? cols + case_.pad : 0;
    if (is_4bit(case_.b)) {  // rows of whole bytes
      const std::int64_t bytes = (cols + 1) / 2 + case_.pad;
      weights_.stride = case_.pad != 0 ? 2 * bytes : 0;
      b_ = draw_elements(Type::u8, matrix_elements(rows, (cols + 1) / 2, bytes), case_.b_fill);
    } else {
      b_ = draw_elements(case_.b, matrix_elements(rows, cols, cols + case_.pad), case_.b_fill);
    }
    if (case_.b == Type::b1) clear_padding(b_, rows, cols + case_.pad);
    weights_.data = b_.data();
    if (case_.group != 0) return draw_groups();
    weights_.scale_per = per(case_.b_scale, Per::column);
    weights_.zero_point_per = per(case_.b_zero_point, Per::column);
    const auto count = [&](Given given) { return given == Given::each ? static_cast<std::size_t>(case_.n) : std::size_t{1}; };
    if (case_.b_scale != Given::none) {
      b_scale_ = draw_array<float>(count(case_.b_scale), [&] { return static_cast<float>(rng_.real(1e-3, 2e-2)); });
      weights_.scale = b_scale_.as<float>();
    }
    if (case_.b_zero_point != Given::none) {
      b_zero_point_ = draw_array<std::int32_t>(count(case_.b_zero_point), [&] { return draw_zero_point(case_.b); });
      weights_.zero_point = b_zero_point_.as<std::int32_t>();
    }
  }

  void draw_groups() {
    GroupsDesc& g = weights_.groups;
    g.size = case_.group;
    g.scale_type = case_.group_scale;
    const std::int64_t count = group_count(weights_), rows = case_.order == Order::nk ? case_.n : count;
    const auto values = static_cast<std::size_t>(case_.n * count);
    auto draw_floats = [&](Type type, double lo, double hi) {
      if (type == Type::f32) return draw_array<float>(values, [&] { return static_cast<float>(rng_.real(lo, hi)); });
      return draw_array<std::uint16_t>(values, [&] { return encode16(static_cast<float>(rng_.real(lo, hi)), format_of(type)); });
    };
    b_scale_ = draw_floats(g.scale_type, -2e-2, 2e-2);
    g.scale = b_scale_.data();
    if (case_.group_zero_point == Type::none) return;
    g.zero_point_type = case_.group_zero_point;
    if (is_float(g.zero_point_type)) {
      b_zero_point_ = draw_floats(g.zero_point_type, -9, 20);
    } else if (is_4bit(g.zero_point_type)) {
      const std::int64_t row_bytes = ((case_.order == Order::nk ? count : case_.n) + 1) / 2;
      b_zero_point_ = draw_elements(Type::u8, static_cast<std::size_t>(rows * row_bytes), Fill::random);
    } else {
      const std::int64_t lo = case_.b == Type::u4 ? 0 : case_.b == Type::s4 ? -8 : -128;
      b_zero_point_ = draw_array<std::uint8_t>(values, [&] { return static_cast<std::uint8_t>(rng_.between(lo, lo == -128 ? 127 : lo + 15)); });
    }
    g.zero_point = b_zero_point_.data();
  }

  std::int32_t draw_zero_point(Type type) {
    const Range range = range_of(type);
    return rng_.one_in(4) ? range.lo : rng_.one_in(4) ? range.hi : static_cast<std::int32_t>(rng_.between(range.lo, range.hi));
  }

  void draw_a() {
    const std::int64_t k = elements_of(case_.a, case_.k);
    a_stride_ = is_4bit(case_.a) ? (k + 1) / 2 * 2 + 2 * case_.pad : k + case_.pad;
    if (is_4bit(case_.a))
      a_ = draw_elements(Type::u8, matrix_elements(case_.m, (k + 1) / 2, a_stride_ / 2), case_.a_fill);
    else
      a_ = draw_elements(case_.a, matrix_elements(case_.m, k, a_stride_), case_.a_fill);
    if (case_.a == Type::b1) clear_padding(a_, case_.m, a_stride_);
    desc_.a = case_.a;
    desc_.dynamic = case_.dynamic;
    const auto rows = static_cast<std::size_t>(case_.m);
    desc_.a_scale_per = case_.a_scale == Given::group ? Per::group : per(case_.a_scale, Per::row);
    if (case_.a_scale == Given::tensor) desc_.a_scale = static_cast<float>(rng_.real(1e-3, 2e-2));
    if (case_.a_scale == Given::each)
      a_scale_ = draw_array<float>(rows, [&] { return static_cast<float>(rng_.real(1e-3, 2e-2)); });
    if (case_.a_scale == Given::group && !is_float(case_.a))
      a_scale_ = draw_array<float>(rows * static_cast<std::size_t>(group_count(weights_)), [&] { return static_cast<float>(rng_.real(1e-3, 2e-2)); });
    desc_.a_threshold_per = per(case_.a_threshold, Per::column);
    if (case_.a_threshold != Given::none) {
      const bool one = case_.a_threshold == Given::tensor;
      a_threshold_ = draw_array<float>(one ? 1 : static_cast<std::size_t>(case_.k), [&] {
        return static_cast<float>(case_.a == Type::s8 || case_.a == Type::u8 ? rng_.between(-9, 200) : rng_.real(-2, 2));
      });
      desc_.a_threshold = a_threshold_.as<float>();
    }
    desc_.a_zero_point_per = per(case_.a_zero_point, Per::row);
    if (case_.a_zero_point == Given::tensor) desc_.a_zero_point = draw_zero_point(case_.a);
    if (case_.a_zero_point == Given::each)
      a_zero_point_ = draw_array<std::int32_t>(rows, [&] { return draw_zero_point(case_.a); });
  }

  void draw_epilogue() {
    const auto n = static_cast<std::size_t>(case_.n);
    desc_.c = case_.c;
    desc_.accumulate = case_.accumulate;
    desc_.residual = case_.residual;
    desc_.activation = case_.activation;
    desc_.requantize = case_.requantize;
    if (case_.bias == Bias::s32) {
      bias_ = draw_array<std::int32_t>(n, [&] { return static_cast<std::int32_t>(rng_.between(-1000000, 1000000)); });
      desc_.bias_s32 = bias_.as<std::int32_t>();
    } else if (case_.bias == Bias::f32) {
      bias_ = draw_array<float>(n, [&] { return static_cast<float>(rng_.real(-1, 1) * magnitude()); });
      desc_.bias_f32 = bias_.as<float>();
    }
    if (case_.residual == Type::s8 || case_.residual == Type::u8) {
      desc_.residual_scale = static_cast<float>(rng_.real(0.001, 0.01) * magnitude());
      desc_.residual_zero_point = draw_zero_point(case_.residual);
    }
    residual_stride_ = case_.n + 2 * case_.pad;
    if (case_.residual != Type::none && !case_.residual_is_c)
      residual_ = draw_elements(case_.residual, matrix_elements(case_.m, case_.n, residual_stride_), Fill::random);
    desc_.slope = 0.125f + static_cast<float>(rng_.real(0, 0.1));
    desc_.lo = static_cast<float>(rng_.real(-0.6, -0.3) * magnitude());
    desc_.hi = static_cast<float>(rng_.real(0.3, 0.8) * magnitude());
    if (case_.c == Type::s8 || case_.c == Type::u8) {
      desc_.c_scale = static_cast<float>(rng_.real(0.01, 0.03) * magnitude());
      // Towards the middle: with relu and a zero point at the upper end, every output would be the same.
      desc_.c_zero_point = rng_.one_in(8) ? draw_zero_point(case_.c) : draw_zero_point(Type::s8) / 4 + (case_.c == Type::u8 ? 100 : 0);
    }
    if (case_.c == Type::b1) {
      const auto bound = static_cast<std::int64_t>(magnitude());
      threshold_ = draw_array<std::int32_t>(n, [&] {
        return static_cast<std::int32_t>(rng_.one_in(9) ? INT32_MIN : rng_.one_in(9) ? INT32_MAX : rng_.between(-bound, bound));
      });
      at_most_ = draw_array<std::uint8_t>(n, [&] { return static_cast<std::uint8_t>(rng_.one_in(2)); });
      desc_.threshold = threshold_.as<std::int32_t>();
      if (!rng_.one_in(4)) desc_.at_most = at_most_.as<std::uint8_t>();
    }
    if (case_.requantize == Requantize::fixed_point) {
      const std::size_t count = case_.multiplier == Given::each ? n : 1;
      multiplier_ = draw_array<std::int32_t>(
          count, [&] { return static_cast<std::int32_t>(rng_.between(std::int64_t{1} << 30, (std::int64_t{1} << 31) - 1)); });
      shift_ = draw_array<std::int32_t>(
          count, [&] { return static_cast<std::int32_t>(rng_.one_in(8) ? rng_.between(1, 62) : bits() ? rng_.between(30, 33) : rng_.between(36, 44)); });
      desc_.multiplier = multiplier_.as<std::int32_t>();
      desc_.shift = shift_.as<std::int32_t>();
      desc_.multiplier_per = per(case_.multiplier, Per::column);
    }
  }

  void draw_c() {
    const std::int64_t n = elements_of(case_.c, case_.n);
    c_stride_ = n + case_.pad;
    Guarded drawn = draw_elements(case_.c, matrix_elements(case_.m, n, c_stride_), Fill::random);
    initial_c_.assign(drawn.data(), drawn.data() + drawn.size());
    c_ = Guarded(drawn.size(), size_of(case_.c), case_.edge);
    reset_c();
  }

  Case case_;
  Rng rng_;
  WeightsDesc weights_;
  GemmDesc desc_;
  std::int64_t a_stride_ = 0, c_stride_ = 0, residual_stride_ = 0;
  Guarded a_, b_, c_, residual_, blob_;
  Guarded a_scale_, a_zero_point_, a_threshold_, b_scale_, b_zero_point_, bias_, multiplier_, shift_, threshold_, at_most_;
  std::vector<unsigned char> initial_c_, expected_;
};

}  // namespace narrow::test
