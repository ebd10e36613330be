// Kernels of tiers that this processor lacks an instruction or two of: run by emulation, and the emulation itself.
#include "tests/emulate.h"
#include "tests/kernel_rows.h"
#include "tests/problem.h"

namespace narrow::test {
namespace {

#if defined(__x86_64__)

class Emulated : public testing::Test {
 protected:
  void SetUp() override {
    if (!emulator.works()) GTEST_SKIP() << "no AVX2, or no extended registers in signal frames";
  }
  Emulator emulator;
};

std::int8_t relative[32];

/// `code` with its operands in registers that the test loads and stores.
#define NARROW_ON_YMM(code, c, a, b)                                                                        \
  asm volatile("vmovdqu (%0), %%ymm9\n\tvmovdqu (%1), %%ymm3\n\t" code              \
               "\n\tvmovdqu %%ymm9, (%0)\n\tvzeroupper"                                                     \
               :                                                                                            \
               : "r"(c), "r"(a), "r"(b), "r"(std::int64_t{2}), "m"(relative)                                \
               : "xmm3", "xmm9", "xmm12", "memory")

struct DotOperands {
  std::uint8_t a[32];
  std::int8_t b[64];
  std::int32_t c[8];

  explicit DotOperands(Rng& rng) {
    for (auto& v : a) v = draw<std::uint8_t>(rng, Fill::random);
    for (auto& v : b) v = draw<std::int8_t>(rng, Fill::random);
    for (auto& v : c) v = draw<std::int32_t>(rng, Fill::random);
  }
  /// With b from byte `from` on; the halves of c that the instruction does not hold become zero.
  std::array<std::int32_t, 8> expected(int from, int lanes) const {
    std::array<std::int32_t, 8> out{};
    for (int i = 0; i < lanes; ++i) {
      std::uint32_t sum = static_cast<std::uint32_t>(c[i]);
      for (int j = 4 * i; j < 4 * i + 4; ++j) sum += static_cast<std::uint32_t>(a[j] * b[from + j]);
      out[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(sum);
    }
    return out;
  }
  std::array<std::int32_t, 8> got() const {
    std::array<std::int32_t, 8> out;
    std::copy(c, c + 8, out.begin());
    return out;
  }
};

__attribute__((target("avx2,avxvnni"))) void check_dot(Rng& rng) {
  DotOperands d(rng);
  std::array<std::int32_t, 8> want = d.expected(0, 8);
  NARROW_ON_YMM("vmovdqu (%2), %%ymm12\n\t%{vex%} vpdpbusd %%ymm12, %%ymm3, %%ymm9", d.c, d.a, d.b);
  EXPECT_EQ(d.got(), want) << "registers";
  want = d.expected(0, 4);
  NARROW_ON_YMM("vmovdqu (%2), %%ymm12\n\t%{vex%} vpdpbusd %%xmm12, %%xmm3, %%xmm9", d.c, d.a, d.b);
  EXPECT_EQ(d.got(), want) << "128 bits";
  want = d.expected(0, 8);
  NARROW_ON_YMM("%{vex%} vpdpbusd (%2), %%ymm3, %%ymm9", d.c, d.a, d.b);
  EXPECT_EQ(d.got(), want) << "memory";
  want = d.expected(5, 8);
  NARROW_ON_YMM("%{vex%} vpdpbusd 5(%2), %%ymm3, %%ymm9", d.c, d.a, d.b);
  EXPECT_EQ(d.got(), want) << "a short displacement";
  want = d.expected(21, 8);
  NARROW_ON_YMM("%{vex%} vpdpbusd 5(%2,%3,8), %%ymm3, %%ymm9", d.c, d.a, d.b);
  EXPECT_EQ(d.got(), want) << "an index";
  want = d.expected(8, 8);
  NARROW_ON_YMM("%{vex%} vpdpbusd -1000(%2), %%ymm3, %%ymm9", d.c, d.a, reinterpret_cast<std::uintptr_t>(d.b) + 1008);
  EXPECT_EQ(d.got(), want) << "a long displacement";
  std::copy(d.b, d.b + 32, relative);
  want = d.expected(0, 8);
  NARROW_ON_YMM("%{vex%} vpdpbusd %4, %%ymm3, %%ymm9", d.c, d.a, d.b);
  EXPECT_EQ(d.got(), want) << "relative to the instruction pointer";
}

TEST_F(Emulated, DotInstruction) {
  Rng rng(1);
  for (int i = 0; i < 20; ++i) check_dot(rng);
}

#define NARROW_ON_ZMM(code, c, b, k)                                                                            \
  asm volatile("vmovdqu64 (%0), %%zmm17\n\tvmovdqu64 (%1), %%zmm30\n\tkmovq %2, %%k3\n\t" code                   \
               "\n\tvmovdqu64 %%zmm17, (%0)\n\tvzeroupper"                                                      \
               :                                                                                                \
               : "r"(c), "r"(b), "r"(k)                                                                         \
               : "xmm17", "xmm30", "k3", "memory")

template <class T>
std::array<T, 64 / sizeof(T)> popcounts(const T* c, const T* b, std::uint64_t mask, bool zeroing, bool broadcast, int lanes) {
  std::array<T, 64 / sizeof(T)> out{};
  for (int i = 0; i < lanes; ++i) {
    const T bits = static_cast<T>(__builtin_popcountll(broadcast ? b[0] : b[i]));
    out[static_cast<std::size_t>(i)] = mask >> i & 1 ? bits : zeroing ? 0 : c[i];
  }
  return out;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vpopcntdq"))) void check_popcount(Rng& rng) {
  std::array<std::uint32_t, 16> c;
  std::array<std::uint32_t, 32> b;
  const std::uint64_t k = rng.next(), all = ~std::uint64_t{0};
  for (auto& v : c) v = static_cast<std::uint32_t>(rng.next());
  for (auto& v : b) v = static_cast<std::uint32_t>(rng.next());
  auto want = popcounts(c.data(), b.data(), all, false, false, 16);
  NARROW_ON_ZMM("vpopcntd %%zmm30, %%zmm17", c.data(), b.data(), k);
  EXPECT_EQ(c, want) << "registers";
  want = popcounts(c.data(), b.data(), k, false, false, 16);
  NARROW_ON_ZMM("vpopcntd %%zmm30, %%zmm17%{%%k3%}", c.data(), b.data(), k);
  EXPECT_EQ(c, want) << "merging";
  want = popcounts(c.data(), b.data(), k, true, true, 16);
  NARROW_ON_ZMM("vpopcntd (%1)%{1to16%}, %%zmm17%{%%k3%}%{z%}", c.data(), b.data(), k);
  EXPECT_EQ(c, want) << "zeroing, broadcast";
  want = popcounts(c.data(), b.data() + 16, all, false, false, 16);
  NARROW_ON_ZMM("vpopcntd 64(%1), %%zmm17", c.data(), b.data(), k);
  EXPECT_EQ(c, want) << "a displacement in units of the vector";
  want = popcounts(c.data(), b.data() + 9, all, false, true, 16);
  NARROW_ON_ZMM("vpopcntd 36(%1)%{1to16%}, %%zmm17", c.data(), b.data(), k);
  EXPECT_EQ(c, want) << "a displacement in units of the element";
  want = popcounts(c.data(), b.data(), all, false, false, 8);
  NARROW_ON_ZMM("vpopcntd %%ymm30, %%ymm17", c.data(), b.data(), k);
  EXPECT_EQ(c, want) << "256 bits";

  std::array<std::uint64_t, 8> c64, b64;
  for (auto& v : c64) v = rng.next();
  for (auto& v : b64) v = rng.next();
  const auto want64 = popcounts(c64.data(), b64.data(), k, false, false, 8);
  NARROW_ON_ZMM("vpopcntq (%1), %%zmm17%{%%k3%}", c64.data(), b64.data(), k);
  EXPECT_EQ(c64, want64) << "64-bit elements";
}

TEST_F(Emulated, PopcountInstruction) {
  if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) GTEST_SKIP() << "no AVX-512";
  Rng rng(2);
  for (int i = 0; i < 20; ++i) check_popcount(rng);
}

/// Tiers whose remaining instructions this processor has.
std::vector<Tier> emulated_tiers() {
  std::vector<Tier> tiers;
  if (tier_available(Tier::avx2) && !tier_available(Tier::avxvnni)) tiers.push_back(Tier::avxvnni);
  return tiers;
}

TEST_F(Emulated, Tiles) {
  for (Tier tier : emulated_tiers())
    for (const Kernel* kernel : rows_of(tier)) {
      const long before = Emulator::count();
      ASSERT_NO_FATAL_FAILURE(check_all_tiles(*kernel));
      EXPECT_GT(Emulator::count(), before) << kernel->name;
    }
}

TEST_F(Emulated, Products) {
  std::uint64_t seed = 0;
  for (Tier tier : emulated_tiers())
    for (const Kernel* kernel : rows_of(tier))
      for (Type a : {Type::u8, Type::s8, Type::f32})
        for (Type c : {Type::s32, Type::f32, Type::s8})
          for (std::int64_t m : {1, 3, 7, 14})
            for (std::int64_t n : {1, kernel->geometry.nr + 1, 4 * kernel->geometry.nr + 3}) {
              Problem problem({.m = m, .n = n, .k = 37, .a = a, .a_zero_point = is_float(a) ? Given::none : Given::each,
                               .b_zero_point = Given::each, .c = c, .seed = ++seed});
              ASSERT_TRUE(problem.check(*kernel));
            }
}

#endif

}  // namespace
}  // namespace narrow::test
