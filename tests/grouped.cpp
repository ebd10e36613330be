// Grouped products: several weights, each for a range of rows, in one call; row by row what each plan computes by itself.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "narrow/narrow.h"
#include "src/driver.h"
#include "src/gemm.h"
#include "tests/guarded.h"
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/rng.h"
#include "tests/tiers.h"
#include "tests/typed_values.h"

namespace narrow::test {
namespace {

class Grouped : public TierTest {};
NARROW_FOR_EACH_TIER(Grouped);

enum class Kind { int8, int8_with_zero_points, columns_of_4_bits, groups_of_4_bits, act_order };

/// What goes in and out.
struct Ends {
  Type a, c;
  Type residual = Type::none;
  bool accumulate = false;
  bool group_scales = false;     ///< of A, in the place of those of rows
  bool row_zero_points = false;  ///< of A

  bool row_scales() const { return a == Type::s8 && c != Type::s32; }
  /// For each row.
  std::int64_t scales() const;
};

struct Experts {
  static constexpr int count = 6;
  static constexpr std::int64_t k = 640, n = 170, group = 32;  // large enough for several threads
  std::vector<Gemm> plans{count};

  Experts(Kind kind, const Ends& ends, Tier cap) {
    Rng rng(11);
    data_.resize(count * k * n);
    for (std::uint8_t& x : data_) x = static_cast<std::uint8_t>(rng.next());
    scale_.resize(count * n * k / group);
    for (float& x : scale_) x = static_cast<float>(rng.real(0.001, 0.01));
    bias_.resize(count * n);
    for (float& x : bias_) x = static_cast<float>(rng.real(-10, 10));
    for (int e = 0; e < count; ++e) {
      zero_point_[e] = e;
      constexpr int steps[count] = {7, 11, 13, 17, 19, 23};  // prime to k
      for (int i = 0; i < k; ++i) permutation_[e][i] = static_cast<std::int32_t>(i * steps[e] % k);
      WeightsDesc w;
      w.k = k;
      w.n = n;
      w.cap = cap;
      w.data = &data_[static_cast<std::size_t>(e * k * n)];
      if (kind != Kind::int8 && kind != Kind::int8_with_zero_points) w.type = Type::s4;
      if (kind == Kind::int8_with_zero_points) w.zero_point = &zero_point_[e];
      if (kind == Kind::groups_of_4_bits || kind == Kind::act_order)
        w.groups = {group, &scale_[static_cast<std::size_t>(e * n * k / group)]};
      if (kind == Kind::act_order) w.permutation = permutation_[e];
      w.scale = &scale_[static_cast<std::size_t>(e * n)];
      w.scale_per = Per::column;
      weights_[e] = packed(w);
      EXPECT_TRUE(weights_[e].status.ok()) << weights_[e].status.reason;
      GemmDesc d;
      d.a = ends.a;
      d.c = ends.c;
      d.residual = ends.residual;
      d.residual_scale = 0.25f;
      d.accumulate = ends.accumulate;
      d.c_scale = 3.0f;
      if (ends.c != Type::s32) d.bias_f32 = &bias_[static_cast<std::size_t>(e * n)];
      if (ends.row_scales()) d.a_scale_per = ends.group_scales ? Per::group : Per::row;
      if (ends.row_zero_points) d.a_zero_point_per = Per::row;
      d.cap = cap;
      EXPECT_TRUE(Gemm::plan(d, weights_[e].weights, &plans[static_cast<std::size_t>(e)]).ok());
    }
  }

 private:
  std::vector<std::uint8_t> data_;
  std::vector<float> scale_, bias_;
  std::int32_t zero_point_[count], permutation_[count][k];
  Packed weights_[count];
};

std::int64_t Ends::scales() const { return group_scales ? Experts::k / Experts::group : 1; }

constexpr std::int64_t rows = 40;

/// Rows for all experts, and where they begin.
class Rows {
 public:
  explicit Rows(const Ends& ends) : ends_(ends) {
    Rng rng(3);
    const auto reals = [&](std::int64_t count, double lo, double hi) {
      return guarded_array<float>(count, [&] { return static_cast<float>(rng.real(lo, hi)); });
    };
    a_ = reals(rows * Experts::k, -2, 2);  // as s8, any bytes will do
    a_scale_ = reals(rows * ends.scales(), 0.01, 0.1);
    a_zero_point_ = guarded_array<std::int32_t>(rows, [&] { return static_cast<std::int32_t>(rng.between(-128, 127)); });
    residual_ = guarded_values(rng, ends.residual, rows * (Experts::n + 3), 50);
  }

  /// Those from `first` on, into a C of all rows.
  GemmArgs args(std::int64_t first, std::int64_t count, std::vector<char>& c) const {
    const auto row = [&](Type type, std::int64_t stride) { return first * stride * static_cast<std::int64_t>(size_of(type)); };
    GemmArgs g;
    g.m = count;
    g.a_stride = Experts::k, g.c_stride = Experts::n + 1, g.residual_stride = Experts::n + 3;
    g.a = a_.data() + row(ends_.a, g.a_stride);
    g.c = c.data() + row(ends_.c, g.c_stride);
    if (ends_.residual != Type::none) g.residual = residual_.data() + row(ends_.residual, g.residual_stride);
    if (ends_.row_scales()) g.a_scale = a_scale_.as<float>() + first * ends_.scales();
    if (ends_.row_zero_points) g.a_zero_point = a_zero_point_.as<std::int32_t>() + first;
    return g;
  }
  /// What C holds before: as 16-bit floats 21 and 2e8, as f32 and s32 some 1e8.
  std::vector<char> fresh_c() const { return std::vector<char>(rows * (Experts::n + 1) * size_of(ends_.c), 77); }

 private:
  Ends ends_;
  Guarded a_, a_scale_, a_zero_point_, residual_;
};

constexpr std::int64_t offset_sets[][Experts::count + 1] = {{0, 1, 3, 3, 10, 11, 40},
                                                            {0, 0, 0, 0, 0, 0, 1},
                                                            {2, 2, 9, 30, 30, 33, 39},
                                                            {0, 0, 0, 0, 0, 0, 0},
                                                            {0, 40, 40, 40, 40, 40, 40}};
constexpr Kind kinds[] = {Kind::int8, Kind::int8_with_zero_points, Kind::columns_of_4_bits, Kind::groups_of_4_bits,
                          Kind::act_order};

bool in_groups(Kind kind) { return kind == Kind::groups_of_4_bits || kind == Kind::act_order; }

/// C of a run for each of the plans.
std::vector<char> one_by_one(const Experts& experts, const Rows& all, const std::int64_t* offsets) {
  std::vector<char> c = all.fresh_c();
  for (int e = 0; e < Experts::count; ++e) {
    const Status s = experts.plans[static_cast<std::size_t>(e)].run(all.args(offsets[e], offsets[e + 1] - offsets[e], c));
    EXPECT_TRUE(s.ok()) << s.reason;
  }
  return c;
}

void check(const Experts& experts, const Rows& all, const std::int64_t* offsets, const std::vector<char>& expected,
           const Parallel& parallel) {
  std::vector<char> c = all.fresh_c();
  const std::int64_t m = offsets[Experts::count] - offsets[0];
  Guarded scratch(Gemm::grouped_scratch_size(experts.plans.data(), Experts::count, m, parallel.threads));
  const Status s = Gemm::run_grouped(experts.plans.data(), Experts::count, offsets, all.args(0, rows, c), scratch.data(),
                                     scratch.size(), parallel);
  ASSERT_TRUE(s.ok()) << s.reason;
  ASSERT_EQ(c, expected);
  ASSERT_TRUE(scratch.margins_intact());
}

TEST_P(Grouped, EqualsEachPlanOnAnyThreads) {
  for (Kind kind : kinds)
    for (const Ends& ends : {Ends{Type::f32, Type::f32}, {Type::s8, Type::bf16}, {Type::s8, Type::s32}}) {
      if (in_groups(kind) && ends.c == Type::s32) continue;
      const Experts experts(kind, ends, GetParam());
      EXPECT_GT(blocking(GemmAccess::product(experts.plans[0]), rows, 8).threads, 1);
      const Rows all(ends);
      for (const auto& offsets : offset_sets) {
        const std::vector<char> expected = one_by_one(experts, all, offsets);
        for (int threads : {1, 3, 8})
          for (const Schedule& schedule : schedules) {
            SCOPED_TRACE(testing::Message() << schedule.name << ' ' << threads << " threads, kind " << static_cast<int>(kind));
            ASSERT_NO_FATAL_FAILURE(check(experts, all, offsets, expected, {threads, schedule.for_each, nullptr}));
          }
      }
    }
}

/// Residuals, what C holds before, scales and zero points go with their rows.
TEST_P(Grouped, WithWhatRowsBring) {
  for (Kind kind : kinds)
    for (const Ends& ends : {Ends{Type::s8, Type::f32, Type::f32, true},
                             {Type::f32, Type::f16, Type::u8, true},
                             {Type::s8, Type::bf16, Type::f16},
                             {Type::f32, Type::s8, Type::bf16},
                             {Type::s8, Type::u8, Type::s8},
                             {Type::s8, Type::s32, Type::none, true},
                             {.a = Type::s8, .c = Type::f32, .group_scales = true},
                             {.a = Type::s8, .c = Type::f32, .row_zero_points = true}}) {
      if (in_groups(kind) ? ends.c == Type::s32 || ends.row_zero_points : ends.group_scales) continue;
      const Experts experts(kind, ends, GetParam());
      const Rows all(ends);
      const std::vector<char> expected = one_by_one(experts, all, offset_sets[2]);
      for (int threads : {1, 3}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, kind " << static_cast<int>(kind) << ", to " << name(ends.c));
        ASSERT_NO_FATAL_FAILURE(check(experts, all, offset_sets[2], expected, {threads, schedules[1].for_each, nullptr}));
      }
    }
}

TEST(GroupedArguments, AreChecked) {
  const Experts experts(Kind::groups_of_4_bits, {Type::f32, Type::f32}, Tier::generic);
  const Experts others(Kind::columns_of_4_bits, {Type::f32, Type::f32}, Tier::generic);
  std::vector<float> a(4 * Experts::k), c(4 * Experts::n);
  GemmArgs all;
  all.m = 4;
  all.a = a.data();
  all.a_stride = Experts::k;
  all.c = c.data();
  all.c_stride = Experts::n;
  const Gemm mixed[2] = {experts.plans[0], others.plans[0]}, unplanned[2] = {experts.plans[0], {}};
  std::vector<char> scratch(Gemm::grouped_scratch_size(experts.plans.data(), 2, 4));
  auto code = [&](const Gemm* plans, int count, std::vector<std::int64_t> offsets, const GemmArgs& args, std::size_t bytes) {
    return Gemm::run_grouped(plans, count, offsets.empty() ? nullptr : offsets.data(), args, scratch.data(), bytes).code;
  };
  const Gemm* plans = experts.plans.data();
  const Code invalid = Code::invalid_argument;
  EXPECT_EQ(code(plans, 2, {0, 2, 4}, all, scratch.size()), Code::ok);
  EXPECT_EQ(code(plans, 0, {}, all, 0), Code::ok);
  EXPECT_EQ(code(plans, -1, {0}, all, scratch.size()), invalid);
  EXPECT_EQ(code(plans, 2, {}, all, scratch.size()), invalid);
  EXPECT_EQ(code(nullptr, 2, {0, 2, 4}, all, scratch.size()), invalid);
  EXPECT_EQ(code(plans, 2, {0, 2, 5}, all, scratch.size()), invalid);
  EXPECT_EQ(code(plans, 2, {0, 3, 2}, all, scratch.size()), invalid);
  EXPECT_EQ(code(plans, 2, {-1, 3, 4}, all, scratch.size()), invalid);
  EXPECT_EQ(code(mixed, 2, {0, 2, 4}, all, scratch.size()), invalid);
  EXPECT_EQ(code(unplanned, 2, {0, 2, 4}, all, scratch.size()), invalid);
  EXPECT_EQ(code(plans, 2, {0, 2, 4}, all, scratch.size() - 1), Code::scratch_too_small);
  all.c = nullptr;
  EXPECT_EQ(code(plans, 2, {0, 2, 4}, all, scratch.size()), invalid);
}

/// Each way in which plans may not differ, by itself. The rows bring what either plan asks for, so that nothing else is wrong.
TEST(GroupedArguments, PlansDifferInWeightsAlone) {
  struct Desc {
    WeightsDesc w;
    GemmDesc g;
  };
  constexpr std::int64_t k = 64, n = 16, m = 2;
  const std::vector<std::int8_t> data(k * n, 1);
  const std::vector<float> scale(n * k / 8, 1.0f);
  const std::vector<std::uint8_t> zero_point(scale.size());
  const std::int32_t tensor_zero_point = 1;
  std::int32_t permutation[k];
  std::iota(permutation, permutation + k, 0);
  const auto in_groups = [&](Desc& d) { d.w.type = Type::u4, d.w.groups = {40, scale.data()}; };
  const struct {
    const char* what;
    std::function<void(Desc&)> both, other;
  } all_fields[] = {
      {"k", [](Desc&) {}, [](Desc& d) { d.w.k = k - 1; }},
      {"n", [](Desc&) {}, [](Desc& d) { d.w.n = n - 1; }},
      {"a", [](Desc& d) { d.g.a = Type::f32; }, [](Desc& d) { d.g.a = Type::bf16; }},
      {"c", [](Desc&) {}, [](Desc& d) { d.g.c = Type::bf16; }},
      {"residual", [](Desc& d) { d.g.residual = Type::f32; }, [](Desc& d) { d.g.residual = Type::f16; }},
      {"no residual", [](Desc&) {}, [](Desc& d) { d.g.residual = Type::f32; }},
      {"row scales", [](Desc&) {}, [](Desc& d) { d.g.a_scale_per = Per::row; }},
      {"row zero points", [](Desc&) {}, [](Desc& d) { d.g.a_zero_point_per = Per::row; }},
      {"zero points of weights", [](Desc&) {}, [&](Desc& d) { d.w.zero_point = &tensor_zero_point; }},
      {"size of groups", in_groups, [](Desc& d) { d.w.groups.size = 48; }},  // two of them, too
      {"scales of groups", in_groups, [](Desc& d) { d.g.a_scale_per = Per::group; }},
      {"zero points of groups", in_groups, [&](Desc& d) { d.w.groups.zero_point = zero_point.data(); }},
      {"permutation", in_groups, [&](Desc& d) { d.w.permutation = permutation; }},
  };
  const std::vector<float> a(m * k), a_scale(scale.size(), 1.0f), residual(m * n);  // of narrower types more than is read
  const std::vector<std::int32_t> a_zero_point(m);
  std::vector<float> c(m * n);
  GemmArgs rows;
  rows.m = m;
  rows.a = a.data(), rows.c = c.data(), rows.residual = residual.data();
  rows.a_stride = k, rows.c_stride = rows.residual_stride = n;
  rows.a_scale = a_scale.data(), rows.a_zero_point = a_zero_point.data();
  std::vector<char> scratch(100000);
  const std::int64_t offsets[] = {0, 1, m};
  const auto run = [&](const Gemm& first, const Gemm& second) {
    const Gemm plans[] = {first, second};
    return Gemm::run_grouped(plans, 2, offsets, rows, scratch.data(), scratch.size()).code;
  };
  for (const auto& field : all_fields) {
    SCOPED_TRACE(field.what);
    Packed weights[2];
    Gemm plans[2];
    for (int i : {0, 1}) {
      Desc d;
      d.w.k = k, d.w.n = n, d.w.data = data.data(), d.w.cap = Tier::generic;
      d.g.a = Type::s8, d.g.c = Type::f32;
      field.both(d);
      if (i == 1) field.other(d);
      weights[i] = packed(d.w);
      ASSERT_TRUE(weights[i].status.ok()) << weights[i].status.reason;
      const Status s = Gemm::plan(d.g, weights[i].weights, &plans[i]);
      ASSERT_TRUE(s.ok()) << s.reason;
    }
    EXPECT_EQ(run(plans[0], plans[0]), Code::ok);
    EXPECT_EQ(run(plans[1], plans[1]), Code::ok);
    EXPECT_EQ(run(plans[0], plans[1]), Code::invalid_argument);
    EXPECT_EQ(run(plans[1], plans[0]), Code::invalid_argument);
  }
}

}  // namespace
}  // namespace narrow::test
