// What a product is computed from: options and data drawn from a seed, in guarded memory.
#pragma once

#include <cstring>
#include <ostream>
#include <vector>

#include "narrow/narrow.h"
#include "tests/guarded.h"
#include "tests/rng.h"

namespace narrow::test {

/// Whether a parameter is given, and for what.
enum class Given { none, tensor, each, group };  ///< each: row of A, or column of B or C; group: of k, of a row of A

enum class Bias { none, s32, f32 };

/// What kind of numbers a float operand holds.
enum class FloatFill { ordinary, special };  ///< special: with NaN, infinities, denormals, huge and zero rows

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

std::ostream& operator<<(std::ostream& out, const Case& c);

/// The descriptions of a product and its operands, as a Case says.
class Operands {
 public:
  explicit Operands(const Case& c);

  const Case& options() const { return case_; }
  const WeightsDesc& weights_desc() const { return weights_; }
  const GemmDesc& desc() const { return desc_; }
  GemmDesc& desc() { return desc_; }

  /// The last `m` rows, so that reading past the end of an operand faults for every m.
  GemmArgs args(std::int64_t m);
  GemmArgs args() { return args(case_.m); }

  /// Whether A is or becomes bits.
  bool bits() const { return case_.b == Type::b1 && case_.operand == Type::b1; }

  /// C as it was drawn.
  void reset_c() {
    if (c_.size() != 0) std::memcpy(c_.data(), initial_c_.data(), c_.size());
  }

  Guarded& a() { return a_; }
  Guarded& b() { return b_; }
  Guarded& c() { return c_; }
  Guarded& residual() { return residual_; }
  /// One zero point for B, which must outlive the operands.
  void set_zero_point(const std::int32_t* zero_point) {
    weights_.zero_point = zero_point;
    weights_.zero_point_per = Per::tensor;
  }
  /// Scales of the columns, likewise.
  void set_scales(const float* scale) {
    weights_.scale = scale;
    weights_.scale_per = Per::column;
  }

 protected:
  Case case_;
  WeightsDesc weights_;
  GemmDesc desc_;
  std::int64_t a_stride_ = 0, c_stride_ = 0, residual_stride_ = 0;
  Guarded a_, b_, c_, residual_;
  std::vector<unsigned char> initial_c_;

 private:
  template <class T, class Draw>
  Guarded draw_array(std::size_t count, Draw value);
  /// `count` values of an element type, in a layout that is drawn whole: padding is data like any other.
  Guarded draw_elements(Type type, std::size_t count, Fill fill);
  /// About the size of y, so that outputs neither vanish nor all saturate.
  double magnitude() const;
  /// Rows of k bits.
  Guarded draw_bits(std::int64_t rows, std::int64_t stride, Fill fill);
  std::int32_t draw_zero_point(Type type);
  void draw_weights();
  void draw_groups();
  void draw_a();
  void draw_epilogue();
  void draw_c();

  Rng rng_;
  Guarded a_scale_, a_zero_point_, a_threshold_, b_scale_, b_zero_point_, bias_, multiplier_, shift_, threshold_, at_most_;
};

}  // namespace narrow::test
