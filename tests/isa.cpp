// Tiers: names, availability, the cap in its three forms, and what a plan tells about its choice.
#include <string>

#include "tests/problem.h"
#include "tests/scoped_variable.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

TEST(Isa, NamesRoundTrip) {
  const char* names[tier_count] = {"generic", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neon_dotprod", "neon_i8mm"};
  for (Tier t : all_tiers()) {
    EXPECT_STREQ(name(t), names[static_cast<int>(t)]);
    Tier back = Tier::neon;
    EXPECT_TRUE(tier_from_name(name(t), &back).ok());
    EXPECT_EQ(back, t);
  }
}

TEST(Isa, UnknownNamesAreRefusedWithTheList) {
  Tier tier = Tier::avx2;
  for (const char* text : {"", "AVX2", "avx", "avx2 ", "sse", "avx512vnni2"}) {
    const Status s = tier_from_name(text, &tier);
    EXPECT_EQ(s.code, Code::invalid_argument) << text;
    for (Tier t : all_tiers()) EXPECT_NE(std::string(s.reason).find(name(t)), std::string::npos) << s.reason;
  }
  EXPECT_EQ(tier, Tier::avx2);
  EXPECT_EQ(tier_from_name(nullptr, &tier).code, Code::invalid_argument);
  EXPECT_EQ(tier_from_name("avx2", nullptr).code, Code::invalid_argument);
}

TEST(Isa, TypesHaveNamesAndSizes) {
  const struct {
    Type type;
    const char* text;
    std::size_t bytes;
  } types[] = {{Type::s32, "s32", 4}, {Type::s8, "s8", 1},   {Type::u8, "u8", 1},  {Type::f32, "f32", 4},
               {Type::bf16, "bf16", 2}, {Type::f16, "f16", 2}, {Type::s16, "s16", 2}, {Type::b1, "b1", 1}};
  for (const auto& t : types) {
    EXPECT_STREQ(name(t.type), t.text);
    EXPECT_EQ(size_of(t.type), t.bytes);
  }
  EXPECT_EQ(size_of(Type::none), 0u);
}

TEST(Isa, GenericIsAlwaysThere) {
  EXPECT_TRUE(tier_available(Tier::generic));
  EXPECT_FALSE(tier_available(static_cast<Tier>(tier_count)));
#if defined(__x86_64__)
  EXPECT_FALSE(tier_available(Tier::neon));
  EXPECT_FALSE(tier_available(Tier::avx512vnni) && !tier_available(Tier::avx512));
  EXPECT_FALSE(tier_available(Tier::avx512) && !tier_available(Tier::avx2));
  // The compiler's own detection. It looks at XGETBV as well.
  EXPECT_EQ(tier_available(Tier::avx2),
            __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && kernel(Tier::avx2, 0) != nullptr);
  EXPECT_EQ(tier_available(Tier::avx512vnni), __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
                                                  __builtin_cpu_supports("avx512bw") && kernel(Tier::avx512vnni, 0) != nullptr);
#elif defined(__aarch64__)
  EXPECT_TRUE(tier_available(Tier::neon));
  EXPECT_FALSE(tier_available(Tier::avx2));
#endif
}

TEST(Isa, BestTierUnderACap) {
  for (Tier cap : all_tiers()) {
    Tier expected = Tier::generic, got = Tier::neon;
    for (Tier t : available_tiers()) {
      const bool same_family = (t >= Tier::neon) == (cap >= Tier::neon);
      if (same_family && t <= cap) expected = t;
    }
    EXPECT_TRUE(best_tier(cap, &got).ok());
    EXPECT_EQ(got, expected) << name(cap);
  }
  EXPECT_EQ(best_tier(Tier::generic, nullptr).code, Code::invalid_argument);
  Tier t;
  EXPECT_EQ(best_tier(Cap(static_cast<Tier>(200)), &t).code, Code::invalid_argument);
}

TEST(Isa, TheEnvironmentCaps) {
  Tier tier;
  for (Tier cap : all_tiers()) {
    const ScopedVariable isa("NARROW_ISA", name(cap));
    Tier expected;
    ASSERT_TRUE(best_tier(cap, &expected).ok());
    ASSERT_TRUE(best_tier(Cap{}, &tier).ok());
    EXPECT_EQ(tier, expected);
    Problem problem({.m = 2, .n = 9, .k = 5});
    Weights weights;
    ASSERT_TRUE(problem.pack(Cap{}, &weights).ok());
    EXPECT_EQ(weights.tier(), expected);
    // A cap of the description wins over the environment.
    ASSERT_TRUE(best_tier(available_tiers().back(), &tier).ok());
    EXPECT_EQ(tier, available_tiers().back());
  }
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    const ScopedVariable isa("NARROW_ISA", none);
    ASSERT_TRUE(best_tier(Cap{}, &tier).ok());
    EXPECT_EQ(tier, available_tiers().back());
  }
}

TEST(Isa, AnUnknownEnvironmentIsAnErrorEverywhere) {
  Problem problem({.m = 2, .n = 9, .k = 5});
  Weights weights, other;
  ASSERT_TRUE(problem.pack(Cap(Tier::generic), &weights).ok());
  const ScopedVariable isa("NARROW_ISA", "pentium");
  WeightsDesc desc = problem.weights_desc();
  desc.cap = Cap{};
  Tier tier;
  Gemm plan;
  std::size_t bytes;
  Guarded buffer(weights.bytes(), Weights::alignment);
  const GemmDesc from_environment = problem.desc();
  for (const Status& s : {best_tier(Cap{}, &tier), Weights::packed_size(desc, &bytes),
                          Weights::pack(desc, buffer.data(), buffer.size(), &other), Gemm::plan(from_environment, weights, &plan)}) {
    EXPECT_EQ(s.code, Code::invalid_argument);
    for (Tier t : all_tiers()) EXPECT_NE(std::string(s.reason).find(name(t)), std::string::npos) << s.reason;
  }
}

TEST(Isa, InfoTellsWhyNotBetter) {
  const Tier best = available_tiers().back();
  for (Tier packed_for : available_tiers())
    for (Tier cap : available_tiers()) {
      if (cap < packed_for) continue;
      Problem problem({.m = 2, .n = 9, .k = 5});
      Weights weights;
      ASSERT_TRUE(problem.pack(Cap(packed_for), &weights).ok());
      problem.desc().cap = cap;
      Gemm plan;
      ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
      const GemmInfo info = plan.info();
      EXPECT_EQ(info.tier, packed_for);
      EXPECT_STREQ(info.kernel, rows_of(packed_for).front()->name);
      const std::string why = info.why_not_better;
      EXPECT_EQ(why.empty(), packed_for == best) << why;
      if (cap != packed_for) {
        EXPECT_NE(why.find("pack"), std::string::npos) << why;
      } else if (packed_for != best) {
        EXPECT_NE(why.find("cap"), std::string::npos) << why;
      }
    }
}

TEST(Isa, CachesAreOrdered) {
  const Caches c = caches();
  EXPECT_TRUE(c.l2 == 0 || c.l2 >= c.l1) << c.l1 << ' ' << c.l2;
  EXPECT_TRUE(c.l3 == 0 || c.l3 >= c.l2) << c.l2 << ' ' << c.l3;
}

}  // namespace
}  // namespace narrow::test
