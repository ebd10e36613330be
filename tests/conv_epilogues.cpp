// All combinations of what a convolution may be fused with, pairwise, for images of all types.
#include "tests/all_pairs.h"
#include "tests/conv_problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class ConvEpilogues : public TierTest {};
NARROW_FOR_EACH_TIER(ConvEpilogues);

/// Images of bits, of what becomes bits, and of bytes as they are.
struct Images {
  Type a, operand;
};
constexpr Images images[] = {{Type::b1, Type::b1}, {Type::f32, Type::b1}, {Type::bf16, Type::b1}, {Type::f16, Type::b1},
                             {Type::u8, Type::b1}, {Type::s8, Type::b1},  {Type::u8, Type::s8},   {Type::s8, Type::s8}};
constexpr Type c_types[] = {Type::s32, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8, Type::b1};
constexpr Type residuals[] = {Type::none, Type::f32, Type::bf16, Type::f16, Type::s8, Type::u8};
/// Also three paddings, and whether there are groups, and a pool.
const std::vector<int> counts = {8, 7, 3, 2, 2, 6, 6, 2, 3, 2, 2};

ConvOptions options_of(const std::vector<int>& row) {
  ConvOptions o{static_cast<Padding>(row[8]), c_types[row[1]]};
  o.a = images[row[0]].a;
  o.operand = images[row[0]].operand;
  o.bias = static_cast<Bias>(row[2]);
  o.accumulate = row[3] != 0;
  o.row_scales = row[4] != 0;
  o.residual = residuals[row[5]];
  o.activation = static_cast<Activation>(row[6]);
  o.requantize = static_cast<Requantize>(row[7]);
  if (row[10] != 0) o.pool = {2, 2, 2, 2};
  o.edge = row[9] != 0 ? Edge::front : Edge::back;
  return o;
}

/// The rules of gemm.h and conv.h.
bool valid(const ConvOptions& o) {
  const bool s32 = o.c == Type::s32, bits = o.c == Type::b1, rounded = is_8bit(o.c),
             fixed = o.requantize == Requantize::fixed_point;
  if (o.operand == Type::s8 && o.padding != Padding::zero) return false;
  if (o.pool.h != 0 && !bits) return false;
  if (o.bias == Bias::f32 && (s32 || bits || fixed)) return false;
  if (o.accumulate && (rounded || bits)) return false;
  if ((s32 || bits || fixed) && (o.residual != Type::none || o.row_scales)) return false;
  if ((s32 || bits) && (o.activation != Activation::none || fixed)) return false;
  return !fixed || (rounded && o.activation <= Activation::clamp);
}

TEST_P(ConvEpilogues, AllPairs) {
  Rng rng(6);
  const auto rows = all_pairs(counts, rng, [](const std::vector<int>& row) { return valid(options_of(row)); });
  ASSERT_GT(rows.size(), 50u);
  std::int64_t n = 0;
  for (const auto& row : rows) {
    const std::int64_t groups = row[9] != 0 ? 3 : 1;
    n = n % 24 + 1;  // whole and partial words and vectors
    const ConvCase c{2, 4, 5, 39, 3 * n, 2, 3, 1, 1, 1, 1, 1, 1, 0, 1, row[9], groups};
    ASSERT_EQ(ConvProblem(c, options_of(row)).check(GetParam()), "");
  }
}

}  // namespace
}  // namespace narrow::test
