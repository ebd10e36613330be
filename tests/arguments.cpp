// Every public call with every kind of bad argument: the documented code, a reason, and nothing written.
#include <functional>
#include <string>

#include "tests/conv_problem.h"
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/scoped_variable.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

const float not_finite[] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()};

void expect_refused(const Status& s, Code code, const char* what) {
  EXPECT_EQ(static_cast<int>(s.code), static_cast<int>(code)) << what << ": " << s.reason;
  EXPECT_STRNE(s.reason, "") << what;
}

TEST(Arguments, AGoodStatusHasAnEmptyReason) {
  Tier t;
  const Status s = best_tier(Tier::generic, &t);
  EXPECT_EQ(s.code, Code::ok);
  EXPECT_STREQ(s.reason, "");
}

TEST(Arguments, OfWeights) {
  const std::vector<std::int8_t> data(64);
  const float scale[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  const std::int32_t zero_point[8] = {};
  struct Bad {
    const char* what;
    Code code;
    std::function<void(WeightsDesc&)> change;
    bool needs_values;  ///< the size query does not read these
  };
  float bad_scale[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  std::int32_t low[8] = {}, high[8] = {};
  low[7] = -129, high[7] = 128;
  std::vector<Bad> all = {
      {"negative k", Code::invalid_argument, [](WeightsDesc& d) { d.k = -1; }, false},
      {"negative n", Code::invalid_argument, [](WeightsDesc& d) { d.n = -1; }, false},
      {"short stride, nk", Code::invalid_argument, [](WeightsDesc& d) { d.stride = 7; }, false},
      {"short stride, kn", Code::invalid_argument, [](WeightsDesc& d) { d.order = Order::kn, d.stride = 7; }, false},
      {"negative stride", Code::invalid_argument, [](WeightsDesc& d) { d.stride = -8; }, false},
      {"enormous stride", Code::invalid_argument, [](WeightsDesc& d) { d.stride = std::int64_t{1} << 60; }, false},
      {"filters of bytes", Code::invalid_argument, [](WeightsDesc& d) { d.filter_h = d.filter_w = d.filter_c = 1; }, false},
      {"unknown order", Code::invalid_argument, [](WeightsDesc& d) { d.order = static_cast<Order>(7); }, false},
      {"scale per row", Code::invalid_argument, [](WeightsDesc& d) { d.scale_per = Per::row; }, false},
      {"zero point per row", Code::invalid_argument, [](WeightsDesc& d) { d.zero_point_per = Per::row; }, false},
      {"f32 weights", Code::unsupported, [](WeightsDesc& d) { d.type = Type::f32; }, false},
      {"u8 weights", Code::unsupported, [](WeightsDesc& d) { d.type = Type::u8; }, false},
      {"no type", Code::unsupported, [](WeightsDesc& d) { d.type = Type::none; }, false},
      {"k beyond the format", Code::overflow, [](WeightsDesc& d) { d.k = std::int64_t{1} << 24; }, false},
      {"enormous k", Code::overflow, [](WeightsDesc& d) { d.k = INT64_MAX; }, false},
      {"cap that is no tier", Code::invalid_argument, [](WeightsDesc& d) { d.cap = Cap(static_cast<Tier>(99)); }, false},
      {"no data", Code::invalid_argument, [](WeightsDesc& d) { d.data = nullptr; }, true},
      {"zero point -129", Code::invalid_argument, [&](WeightsDesc& d) { d.zero_point = low; }, true},
      {"zero point 128", Code::invalid_argument, [&](WeightsDesc& d) { d.zero_point = high; }, true},
  };
  for (float value : not_finite)
    all.push_back({"scale", Code::invalid_argument,
                   [&, value](WeightsDesc& d) { bad_scale[7] = value, d.scale = bad_scale; }, true});

  WeightsDesc good;
  good.k = good.n = 8;
  good.data = data.data();
  good.scale = scale;
  good.scale_per = good.zero_point_per = Per::column;
  good.zero_point = zero_point;
  std::size_t bytes = 0;
  ASSERT_TRUE(Weights::packed_size(good, &bytes).ok());
  Guarded buffer(bytes, Weights::alignment);
  Weights weights;
  for (const Bad& bad : all) {
    WeightsDesc d = good;
    bad.change(d);
    std::size_t unused;
    if (!bad.needs_values) expect_refused(Weights::packed_size(d, &unused), bad.code, bad.what);
    expect_refused(Weights::pack(d, buffer.data(), bytes, &weights), bad.code, bad.what);
    EXPECT_EQ(weights.blob(), nullptr) << bad.what;
  }
  expect_refused(Weights::packed_size(good, nullptr), Code::invalid_argument, "no size");
  expect_refused(Weights::pack(good, nullptr, bytes, &weights), Code::invalid_argument, "no buffer");
  expect_refused(Weights::pack(good, buffer.data(), bytes - 1, &weights), Code::invalid_argument, "small buffer");
  expect_refused(Weights::pack(good, buffer.data(), 0, &weights), Code::invalid_argument, "empty buffer");
  expect_refused(Weights::pack(good, buffer.data(), bytes, nullptr), Code::invalid_argument, "no result");
  expect_refused(Weights::open(nullptr, bytes, &weights), Code::invalid_argument, "no blob");
  ASSERT_TRUE(Weights::pack(good, buffer.data(), bytes, &weights).ok());
  expect_refused(Weights::open(buffer.data(), bytes, nullptr), Code::invalid_argument, "no result");
}

TEST(Arguments, OfAPlan) {
  Problem problem({.m = 2, .n = 6, .k = 8});
  Weights weights;
  ASSERT_TRUE(problem.pack(Cap(Tier::generic), &weights).ok());
  const std::int32_t bias_s32[6] = {}, multiplier[6] = {1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30},
                     shift[6] = {31, 31, 31, 31, 31, 31};
  const float bias_f32[6] = {};
  std::int32_t bad_multiplier[6], low_shift[6], high_shift[6];
  std::copy(multiplier, multiplier + 6, bad_multiplier);
  std::copy(shift, shift + 6, low_shift);
  std::copy(shift, shift + 6, high_shift);
  bad_multiplier[5] = (1 << 30) - 1, low_shift[5] = 0, high_shift[5] = 63;

  GemmDesc s32, f32, s8, fixed;
  s32.cap = f32.cap = s8.cap = fixed.cap = Tier::generic;
  f32.c = Type::f32;
  s8.c = fixed.c = Type::s8;
  fixed.requantize = Requantize::fixed_point;
  fixed.multiplier = multiplier;
  fixed.shift = shift;
  fixed.multiplier_per = Per::column;
  Gemm plan;
  for (const GemmDesc& d : {s32, f32, s8, fixed}) ASSERT_TRUE(Gemm::plan(d, weights, &plan).ok());

  struct Bad {
    const char* what;
    const GemmDesc& base;
    Code code;
    std::function<void(GemmDesc&)> change;
  };
  const Code invalid = Code::invalid_argument;
  std::vector<Bad> all = {
      {"a of type none", s32, Code::unsupported, [](GemmDesc& d) { d.a = Type::none; }},
      {"a of type s32", s32, Code::unsupported, [](GemmDesc& d) { d.a = Type::s32; }},
      {"a of type s16", s32, Code::unsupported, [](GemmDesc& d) { d.a = Type::s16; }},
      {"c of type none", s32, Code::unsupported, [](GemmDesc& d) { d.c = Type::none; }},
      {"c of type s16", s32, Code::unsupported, [](GemmDesc& d) { d.c = Type::s16; }},
      {"unknown dynamic", f32, invalid, [](GemmDesc& d) { d.a = Type::f32, d.dynamic = static_cast<Dynamic>(2); }},
      {"a_scale per column", f32, invalid, [](GemmDesc& d) { d.a_scale_per = Per::column; }},
      {"a_zero_point per column", f32, invalid, [](GemmDesc& d) { d.a_zero_point_per = Per::column; }},
      {"zero point 256 of u8", s32, invalid, [](GemmDesc& d) { d.a_zero_point = 256; }},
      {"zero point -1 of u8", s32, invalid, [](GemmDesc& d) { d.a_zero_point = -1; }},
      {"zero point 128 of s8", s32, invalid, [](GemmDesc& d) { d.a = Type::s8, d.a_zero_point = 128; }},
      {"zero point -129 of s8", s32, invalid, [](GemmDesc& d) { d.a = Type::s8, d.a_zero_point = -129; }},
      {"two biases", f32, invalid, [&](GemmDesc& d) { d.bias_s32 = bias_s32, d.bias_f32 = bias_f32; }},
      {"f32 bias of s32", s32, invalid, [&](GemmDesc& d) { d.bias_f32 = bias_f32; }},
      {"f32 bias of fixed_point", fixed, invalid, [&](GemmDesc& d) { d.bias_f32 = bias_f32; }},
      {"accumulate into s8", s8, invalid, [](GemmDesc& d) { d.accumulate = true; }},
      {"residual of s32", s32, invalid, [](GemmDesc& d) { d.residual = Type::f32; }},
      {"residual of fixed_point", fixed, invalid, [](GemmDesc& d) { d.residual = Type::s8; }},
      {"residual of type s32", f32, invalid, [](GemmDesc& d) { d.residual = Type::s32; }},
      {"residual zero point", f32, invalid, [](GemmDesc& d) { d.residual = Type::u8, d.residual_zero_point = 256; }},
      {"residual zero point", f32, invalid, [](GemmDesc& d) { d.residual = Type::s8, d.residual_zero_point = -129; }},
      {"relu of s32", s32, invalid, [](GemmDesc& d) { d.activation = Activation::relu; }},
      {"gelu of fixed_point", fixed, invalid, [](GemmDesc& d) { d.activation = Activation::gelu; }},
      {"leaky relu of fixed_point", fixed, invalid, [](GemmDesc& d) { d.activation = Activation::leaky_relu; }},
      {"unknown activation", f32, invalid, [](GemmDesc& d) { d.activation = static_cast<Activation>(6); }},
      {"lo > hi", f32, invalid, [](GemmDesc& d) { d.activation = Activation::clamp, d.lo = 1, d.hi = 0.5f; }},
      {"NaN as lo", f32, invalid, [](GemmDesc& d) { d.activation = Activation::clamp, d.lo = not_finite[2]; }},
      {"NaN as hi", f32, invalid, [](GemmDesc& d) { d.activation = Activation::clamp, d.hi = not_finite[2]; }},
      {"c_scale 0", s8, invalid, [](GemmDesc& d) { d.c_scale = 0; }},
      {"negative c_scale", s8, invalid, [](GemmDesc& d) { d.c_scale = -1; }},
      {"c zero point of s8", s8, invalid, [](GemmDesc& d) { d.c_zero_point = 128; }},
      {"c zero point of u8", s8, invalid, [](GemmDesc& d) { d.c = Type::u8, d.c_zero_point = -1; }},
      {"unknown requantization", s8, invalid, [](GemmDesc& d) { d.requantize = static_cast<Requantize>(2); }},
      {"fixed_point of f32", fixed, invalid, [](GemmDesc& d) { d.c = Type::f32; }},
      {"fixed_point of b1", fixed, invalid, [&](GemmDesc& d) { d.c = Type::b1, d.threshold = shift; }},
      {"unknown requantization of b1", s32, invalid,
       [&](GemmDesc& d) { d.c = Type::b1, d.threshold = shift, d.requantize = static_cast<Requantize>(2); }},
      {"no multiplier", fixed, invalid, [](GemmDesc& d) { d.multiplier = nullptr; }},
      {"no shift", fixed, invalid, [](GemmDesc& d) { d.shift = nullptr; }},
      {"small multiplier", fixed, invalid, [&](GemmDesc& d) { d.multiplier = bad_multiplier; }},
      {"shift 0", fixed, invalid, [&](GemmDesc& d) { d.shift = low_shift; }},
      {"shift 63", fixed, invalid, [&](GemmDesc& d) { d.shift = high_shift; }},
      {"multiplier per row", fixed, invalid, [](GemmDesc& d) { d.multiplier_per = Per::row; }},
      {"cap that is no tier", s32, invalid, [](GemmDesc& d) { d.cap = Cap(static_cast<Tier>(99)); }},
  };
  for (float value : not_finite) {
    all.push_back({"a_scale", f32, invalid, [=](GemmDesc& d) { d.a_scale = value; }});
    all.push_back({"c_scale", s8, invalid, [=](GemmDesc& d) { d.c_scale = value; }});
    all.push_back({"residual_scale", f32, invalid, [=](GemmDesc& d) { d.residual = Type::s8, d.residual_scale = value; }});
    all.push_back({"slope", f32, invalid, [=](GemmDesc& d) { d.activation = Activation::leaky_relu, d.slope = value; }});
  }
  for (const Bad& bad : all) {
    GemmDesc d = bad.base;
    bad.change(d);
    expect_refused(Gemm::plan(d, weights, &plan), bad.code, bad.what);
    expect_refused(gemm(d, weights, problem.args(), nullptr, 0), bad.code, bad.what);
  }
  expect_refused(Gemm::plan(s32, weights, nullptr), invalid, "no result");
  expect_refused(Gemm::plan(s32, Weights{}, &plan), invalid, "no weights");
}

TEST(Arguments, OfARun) {
  Problem problem({.m = 4, .n = 6, .k = 8, .a = Type::s8, .a_zero_point = Given::each, .a_scale = Given::each, .c = Type::f32,
                   .residual = Type::f32});
  Weights weights;
  Gemm plan;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
  std::vector<float> bad_scale(4, 1.0f);
  std::vector<std::int32_t> bad_zero_point(4, 0);
  struct Bad {
    const char* what;
    std::function<void(GemmArgs&)> change;
  };
  std::vector<Bad> all = {
      {"negative m", [](GemmArgs& g) { g.m = -1; }},
      {"no a", [](GemmArgs& g) { g.a = nullptr; }},
      {"no c", [](GemmArgs& g) { g.c = nullptr; }},
      {"short a_stride", [](GemmArgs& g) { g.a_stride = 7; }},
      {"negative a_stride", [](GemmArgs& g) { g.a_stride = -8; }},
      {"short c_stride", [](GemmArgs& g) { g.c_stride = 5; }},
      {"enormous m", [](GemmArgs& g) { g.m = std::int64_t{1} << 31; }},
      {"enormous a_stride", [](GemmArgs& g) { g.a_stride = std::int64_t{1} << 61; }},
      {"enormous c_stride", [](GemmArgs& g) { g.c_stride = std::int64_t{1} << 62; }},
      {"enormous residual_stride", [](GemmArgs& g) { g.residual_stride = INT64_MAX; }},
      {"no residual", [](GemmArgs& g) { g.residual = nullptr; }},
      {"short residual_stride", [](GemmArgs& g) { g.residual_stride = 5; }},
      {"no a_scale", [](GemmArgs& g) { g.a_scale = nullptr; }},
      {"no a_zero_point", [](GemmArgs& g) { g.a_zero_point = nullptr; }},
      {"zero point 128", [&](GemmArgs& g) { bad_zero_point[3] = 128, g.a_zero_point = bad_zero_point.data(); }},
      {"zero point -129", [&](GemmArgs& g) { bad_zero_point[3] = -129, g.a_zero_point = bad_zero_point.data(); }},
  };
  for (float value : not_finite)
    all.push_back({"a_scale", [&, value](GemmArgs& g) { bad_scale[3] = value, g.a_scale = bad_scale.data(); }});

  Guarded scratch(plan.scratch_size(4), Gemm::scratch_alignment);
  problem.expected();
  for (const Bad& bad : all) {
    GemmArgs args = problem.args();
    bad.change(args);
    expect_refused(plan.run(args, scratch.data(), scratch.size()), Code::invalid_argument, bad.what);
    expect_refused(plan.run(args), Code::invalid_argument, bad.what);
    const GemmArgs items[] = {problem.args(1), args};
    expect_refused(plan.run_batch(items, 2, scratch.data(), scratch.size()), Code::invalid_argument, bad.what);
    expect_refused(plan.run_strided(args, 1, 0, 0, 0, scratch.data(), scratch.size()), Code::invalid_argument, bad.what);
    expect_refused(gemm(problem.desc(), weights, args, scratch.data(), scratch.size()), Code::invalid_argument, bad.what);
    EXPECT_TRUE(problem.compare("nothing", 0)) << bad.what;
  }

  ASSERT_GT(scratch.size(), 0u);  // rows have zero points and scales of their own
  const GemmArgs args = problem.args();
  expect_refused(plan.run(args, scratch.data(), scratch.size() - 1), Code::scratch_too_small, "small scratch");
  expect_refused(plan.run(args, scratch.data(), 0), Code::scratch_too_small, "empty scratch");
  expect_refused(plan.run(args, nullptr, scratch.size()), Code::invalid_argument, "no scratch");
  expect_refused(plan.run_batch(&args, 1, scratch.data(), 0), Code::scratch_too_small, "small scratch");
  expect_refused(plan.run_batch(&args, -1, scratch.data(), scratch.size()), Code::invalid_argument, "negative count");
  expect_refused(plan.run_batch(nullptr, 1, scratch.data(), scratch.size()), Code::invalid_argument, "no items");
  expect_refused(plan.run_strided(args, -1, 0, 0, 0, scratch.data(), scratch.size()), Code::invalid_argument, "negative count");
  expect_refused(Gemm{}.run(args), Code::invalid_argument, "run before plan");
  expect_refused(Gemm{}.run_strided(args, 1, 1, 1, 1, scratch.data(), scratch.size()), Code::invalid_argument, "run before plan");
  EXPECT_TRUE(problem.compare("nothing", 0));
  EXPECT_TRUE(plan.run_batch(nullptr, 0, scratch.data(), scratch.size()).ok());
  EXPECT_EQ(Gemm{}.scratch_size(5), 0u);
  for (int threads : {1, 8}) EXPECT_EQ(plan.scratch_size(INT64_MAX, threads), plan.scratch_size((std::int64_t{1} << 31) - 1, threads));
}

/// Where nothing is read or written, no pointer is needed.
/// A batch of nibbles begins with whole bytes; it may run backwards.
TEST(Arguments, StridesOfNibbles) {
  constexpr int count = 3;
  Problem problem({.m = count, .n = 6, .k = 8, .a = Type::s4});
  Weights weights;
  Gemm plan;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
  GemmArgs last = problem.args(1);
  Guarded scratch(plan.scratch_size(1), Gemm::scratch_alignment);
  const auto run = [&](std::int64_t a_batch_stride) {
    return plan.run_strided(last, count, a_batch_stride, -last.c_stride, 0, scratch.data(), scratch.size());
  };
  expect_refused(run(7), Code::invalid_argument, "odd");
  expect_refused(run(-7), Code::invalid_argument, "odd");
  problem.expected();
  problem.reset_c();
  EXPECT_TRUE(run(-last.a_stride).ok());
  EXPECT_TRUE(problem.compare(plan.info().kernel, count));
}

/// Rows of bits of one length in bytes, but not in bits.
TEST(Arguments, PlansOfAGroupedProductHaveOneK) {
  Gemm plans[2];
  Packed weights[2];
  const std::vector<char> bits(64);
  for (int i : {0, 1}) {
    WeightsDesc w;
    w.type = Type::b1;
    w.k = i == 0 ? 33 : 40;
    w.n = 2;
    w.data = bits.data();
    weights[i] = packed(w);
    ASSERT_TRUE(weights[i].status.ok());
    GemmDesc d;
    d.a = Type::b1;
    ASSERT_TRUE(Gemm::plan(d, weights[i].weights, &plans[i]).ok());
  }
  std::vector<char> scratch(10000);
  const std::int64_t offsets[] = {0, 0, 0};
  expect_refused(Gemm::run_grouped(plans, 2, offsets, {}, scratch.data(), scratch.size()), Code::invalid_argument, "another k");
}

/// NARROW_VERBOSE=1, and nothing else, makes a run print one line, however many items it has.
TEST(Arguments, VerboseIsAskedFor) {
  constexpr int many = 100;
  Problem problem({.m = many, .n = 6, .k = 8});
  Weights weights;
  ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
  for (const char* value : {"0", "", "1"}) {
    const ScopedVariable verbose("NARROW_VERBOSE", value);
    Gemm plan;
    ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
    ConvProblem images({1, 3, 3, 8, 5, 2, 2}, {Padding::minus_one, Type::s32});
    ASSERT_TRUE(images.pack().ok());
    Conv conv;
    ASSERT_TRUE(Conv::plan(images.desc(), images.weights(), &conv).ok());
    std::vector<char> scratch(std::max({Gemm::grouped_scratch_size(&plan, 1, 2), plan.scratch_size(1), conv.scratch_size(1)}));
    std::vector<std::int32_t> c(2 * 2 * 6);  // c_stride is n + 1
    ConvArgs conv_args = images.args();
    conv_args.c = c.data();
    const std::int64_t offsets[] = {0, 2};
    const GemmArgs two = problem.args(2);
    GemmArgs first = problem.args();
    first.m = 1;
    const struct {
      std::function<Status()> run;
      const char *line, *kernel;  ///< how the line begins
    } runs[] = {
        {[&] { return plan.run(two); }, "narrow,gemm,2x6x8,items:1,", plan.info().kernel},
        {[&] { return Gemm::run_grouped(&plan, 1, offsets, two, scratch.data(), scratch.size()); },
         "narrow,grouped,2x6x8,items:1,", plan.info().kernel},
        {[&] { return conv.run(conv_args, scratch.data(), scratch.size()); }, "narrow,conv,4x5x128,items:1,",
         conv.info().kernel},
        {[&] { return plan.run_strided(first, many, first.a_stride, first.c_stride, 0, scratch.data(), scratch.size()); },
         "narrow,gemm,100x6x8,items:100,", plan.info().kernel},
    };
    for (const auto& [run, line, kernel] : runs) {
      testing::internal::CaptureStderr();
      EXPECT_TRUE(run().ok());
      const std::string text = testing::internal::GetCapturedStderr();
      const bool printed = value[0] == '1';
      EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), printed) << text;
      EXPECT_EQ(text.rfind(line, 0) == 0, printed) << text;
      EXPECT_EQ(text.find(kernel) != std::string::npos, printed) << text;
    }
  }
}

}  // namespace
}  // namespace narrow::test
