#include "tests/operands.h"

#include <cmath>
#include <limits>

#include "src/bits.h"
#include "tests/reference.h"

namespace narrow::test {
namespace {

Per per(Given given, Per each) { return given == Given::each ? each : Per::tensor; }

/// A float with any finite exponent of its type's middle range, or anything at all.
float draw_float(Rng& rng, FloatFill fill) {
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

}  // namespace

std::ostream& operator<<(std::ostream& out, const Case& c) {
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

Operands::Operands(const Case& c) : case_(c), rng_(c.seed) {
  draw_weights();
  draw_a();
  draw_epilogue();
  draw_c();
}

GemmArgs Operands::args(std::int64_t m) {
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

template <class T, class Draw>
Guarded Operands::draw_array(std::size_t count, Draw value) {
  return guarded_array<T>(static_cast<std::int64_t>(count), value, case_.edge);
}

Guarded Operands::draw_elements(Type type, std::size_t count, Fill fill) {
  switch (type) {
    case Type::b1:
    case Type::u8: return draw_array<std::uint8_t>(count, [&] { return draw<std::uint8_t>(rng_, fill); });
    case Type::s8: return draw_array<std::int8_t>(count, [&] { return draw<std::int8_t>(rng_, fill); });
    case Type::s32: return draw_array<std::int32_t>(count, [&] { return draw<std::int32_t>(rng_, fill); });
    case Type::f32: return draw_array<float>(count, [&] { return draw_float(rng_, case_.float_fill); });
    default: return draw_array<std::uint16_t>(count, [&] { return encode16(draw_float(rng_, case_.float_fill), format_of(type)); });
  }
}

double Operands::magnitude() const {
  const double a_values = bits() ? 1.0 : is_4bit(case_.a) ? 8.0 : 150.0;
  const double a = is_float(case_.a) && !bits() ? 4.0 : a_values * (case_.a_scale == Given::none ? 1.0 : 1e-2);
  const double b = (case_.b == Type::b1 ? 1.0 : is_4bit(case_.b) ? 5.0 : 75.0) *
                   (case_.b_scale == Given::none && case_.group == 0 ? 1.0 : 1e-2);
  return a * b * std::sqrt(static_cast<double>(case_.k + 1));
}

Guarded Operands::draw_bits(std::int64_t rows, std::int64_t stride, Fill fill) {
  Guarded bits = draw_elements(Type::b1, matrix_elements(rows, bit_row_bytes(case_.k), stride), fill);
  bits.make_writable();
  clear_padding(bits.data(), rows, stride, case_.k);
  bits.make_read_only();
  return bits;
}

std::int32_t Operands::draw_zero_point(Type type) {
  const Range range = range_of(type);
  return rng_.one_in(4) ? range.lo : rng_.one_in(4) ? range.hi : static_cast<std::int32_t>(rng_.between(range.lo, range.hi));
}

void Operands::draw_weights() {
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
  } else if (case_.b == Type::b1) {
    b_ = draw_bits(rows, cols + case_.pad, case_.b_fill);
  } else {
    b_ = draw_elements(case_.b, matrix_elements(rows, cols, cols + case_.pad), case_.b_fill);
  }
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

void Operands::draw_groups() {
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

void Operands::draw_a() {
  const std::int64_t k = elements_of(case_.a, case_.k);
  a_stride_ = is_4bit(case_.a) ? (k + 1) / 2 * 2 + 2 * case_.pad : k + case_.pad;
  if (is_4bit(case_.a))
    a_ = draw_elements(Type::u8, matrix_elements(case_.m, (k + 1) / 2, a_stride_ / 2), case_.a_fill);
  else if (case_.a == Type::b1)
    a_ = draw_bits(case_.m, a_stride_, case_.a_fill);
  else
    a_ = draw_elements(case_.a, matrix_elements(case_.m, k, a_stride_), case_.a_fill);
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

void Operands::draw_epilogue() {
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

void Operands::draw_c() {
  const std::int64_t n = elements_of(case_.c, case_.n);
  c_stride_ = n + case_.pad;
  Guarded drawn = draw_elements(case_.c, matrix_elements(case_.m, n, c_stride_), Fill::random);
  initial_c_.assign(drawn.data(), drawn.data() + drawn.size());
  c_ = Guarded(drawn.size(), size_of(case_.c), case_.edge);
  reset_c();
}

}  // namespace narrow::test
