// Networks of two layers of bits: what the first writes, the second reads as it is. Their definition is that of the second
// layer of the bits of the definition of the first.
#include "tests/check_rows.h"
#include "tests/conv_problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class TwoLayers : public TierTest {};
NARROW_FOR_EACH_TIER(TwoLayers);

/// Bits that are neither all alike, which would hide most mistakes, nor without a byte.
bool varied(const std::vector<unsigned char>& bits) { return std::set<unsigned char>(bits.begin(), bits.end()).size() > 2; }

TEST_P(TwoLayers, OfProducts) {
  for (const auto& [m, hidden, n, k] : {std::array<std::int64_t, 4>{1, 70, 33, 100}, {5, 256, 64, 48}, {37, 99, 130, 513}})
    for (std::int64_t pad : {0, 3}) {
      Case c = bits(m, hidden, k);
      c.c = Type::b1, c.pad = pad;
      Problem first(c);
      c.n = n, c.k = hidden, c.seed = 2;
      Problem second(c);
      second.a() = guarded_copy(first.expected().data(), first.expected().size());
      ASSERT_TRUE(varied(second.expected()));
      ASSERT_TRUE(first.check(Cap(GetParam())));
      second.a() = guarded_copy(first.c().data(), first.c().size());
      ASSERT_TRUE(second.check(Cap(GetParam())));
    }
}

TEST_P(TwoLayers, OfConvolutions) {
  const PoolWindow pools[] = {{}, {2, 2, 2, 2}};
  for (const PoolWindow& pool : pools)
    for (Type a : {Type::b1, Type::f32})
      for (std::int64_t groups : {1, 3}) {
        const std::int64_t side = pool.h ? 4 : 8;
        ConvProblem first({2, 8, 8, 48, 45, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, groups},
                          {.padding = Padding::plus_one, .c = Type::b1, .a = a, .pool = pool});
        // Pixels as far apart as the first layer's.
        ConvProblem second({2, side, side, 45, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, groups}, {Padding::zero, Type::b1});
        ASSERT_EQ(first.args().c_stride, second.args().a_stride);
        second.a() = guarded_copy(first.expected().data(), first.expected().size());
        ASSERT_TRUE(varied(second.expected()));
        ASSERT_EQ(first.check(GetParam()), "");
        second.a() = guarded_copy(first.c().data(), first.c().size());
        ASSERT_EQ(second.check(GetParam()), "");
      }
}

}  // namespace
}  // namespace narrow::test
