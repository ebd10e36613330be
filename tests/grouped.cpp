// Grouped products: several weights, each for a range of rows, in one call; row by row what each plan computes by itself.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "narrow/narrow.h"
#include "src/driver.h"
#include "src/gemm.h"
#include "tests/guarded.h"
#include "tests/packed.h"
#include "tests/parallels.h"
#include "tests/rng.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Grouped : public TierTest {};
NARROW_FOR_EACH_TIER(Grouped);

enum class Kind { int8, int8_with_zero_points, columns_of_4_bits, groups_of_4_bits, act_order };

struct Experts {
  static constexpr int count = 6;
  static constexpr std::int64_t k = 640, n = 170;  // large enough for several threads
  Type a, c;
  std::vector<Gemm> plans{count};

  Experts(Kind kind, Type a_type, Type c_type, Tier cap) : a(a_type), c(c_type) {
    Rng rng(11);
    data_.resize(count * k * n);
    for (std::uint8_t& x : data_) x = static_cast<std::uint8_t>(rng.next());
    scale_.resize(count * n * k / 32);
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
        w.groups = {32, &scale_[static_cast<std::size_t>(e * n * k / 32)]};
      if (kind == Kind::act_order) w.permutation = permutation_[e];
      w.scale = &scale_[static_cast<std::size_t>(e * n)];
      w.scale_per = Per::column;
      weights_[e] = packed(w);
      EXPECT_TRUE(weights_[e].status.ok()) << weights_[e].status.reason;
      GemmDesc d;
      d.a = a;
      d.c = c;
      if (c != Type::s32) d.bias_f32 = &bias_[static_cast<std::size_t>(e * n)];
      if (a == Type::s8 && c != Type::s32) d.a_scale_per = Per::row;
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

TEST_P(Grouped, EqualsEachPlanOnAnyThreads) {
  Rng rng(3);
  const std::int64_t offset_sets[][Experts::count + 1] = {{0, 1, 3, 3, 10, 11, 40},
                                                          {0, 0, 0, 0, 0, 0, 1},
                                                          {2, 2, 9, 30, 30, 33, 39},
                                                          {0, 0, 0, 0, 0, 0, 0},
                                                          {0, 40, 40, 40, 40, 40, 40}};
  for (Kind kind : {Kind::int8, Kind::int8_with_zero_points, Kind::columns_of_4_bits, Kind::groups_of_4_bits, Kind::act_order})
    for (const auto& [a_type, c_type] : {std::pair{Type::f32, Type::f32}, {Type::s8, Type::bf16}, {Type::s8, Type::s32}}) {
      const bool in_groups = kind == Kind::groups_of_4_bits || kind == Kind::act_order;
      if (in_groups && c_type == Type::s32) continue;
      const Experts experts(kind, a_type, c_type, GetParam());
      EXPECT_GT(blocking(GemmAccess::product(experts.plans[0]), 40, 8).threads, 1);
      constexpr std::int64_t rows = 40, k = Experts::k, n = Experts::n;
      std::vector<float> a(rows * k), a_scale(rows);
      for (float& x : a) x = static_cast<float>(rng.real(-2, 2));  // as s8, any bytes will do
      for (float& x : a_scale) x = static_cast<float>(rng.real(0.01, 0.1));
      GemmArgs all;
      all.m = rows;
      all.a = a.data();
      all.a_stride = k;
      all.a_scale = a_type == Type::s8 && c_type != Type::s32 ? a_scale.data() : nullptr;
      all.c_stride = n + 1;
      const std::size_t element = size_of(c_type), c_bytes = static_cast<std::size_t>(rows * (n + 1)) * element;
      for (const auto& offsets : offset_sets) {
        std::vector<char> expected(c_bytes, 77);
        for (int e = 0; e < Experts::count; ++e) {
          GemmArgs own = all;
          own.m = offsets[e + 1] - offsets[e];
          own.a = reinterpret_cast<const char*>(a.data()) + offsets[e] * k * static_cast<std::int64_t>(size_of(a_type));
          own.c = expected.data() + static_cast<std::size_t>(offsets[e] * (n + 1)) * element;
          if (own.a_scale != nullptr) own.a_scale += offsets[e];
          ASSERT_TRUE(experts.plans[static_cast<std::size_t>(e)].run(own).ok());
        }
        for (int threads : {1, 3, 8})
          for (const Schedule& schedule : schedules) {
            std::vector<char> c(c_bytes, 77);
            all.c = c.data();
            Guarded scratch(Gemm::grouped_scratch_size(experts.plans.data(), Experts::count,
                                                       offsets[Experts::count] - offsets[0], threads));
            const Status s = Gemm::run_grouped(experts.plans.data(), Experts::count, offsets, all, scratch.data(),
                                               scratch.size(), {threads, schedule.for_each, nullptr});
            ASSERT_TRUE(s.ok()) << s.reason;
            ASSERT_EQ(c, expected) << schedule.name << " " << threads << " threads, kind " << static_cast<int>(kind);
            ASSERT_TRUE(scratch.margins_intact());
          }
      }
    }
}

TEST(GroupedArguments, AreChecked) {
  const Experts experts(Kind::groups_of_4_bits, Type::f32, Type::f32, Tier::generic);
  const Experts others(Kind::columns_of_4_bits, Type::f32, Type::f32, Tier::generic);
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

}  // namespace
}  // namespace narrow::test
