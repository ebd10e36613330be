// Makes the row of one kernel for weights of 4 bits in whole columns. Its steps of eight k are two dots of four, for the low
// and the high nibbles, with sums as exact and as plain as int8's: the tile and all that follows it are int8's own.
#pragma once

#include "kernels/common/pack_a.h"
#include "kernels/common/tile.h"

namespace narrow {
namespace {

/// The two halves of a step: of A, four values of a row each; of B, a nibble for each of them and column.
template <class Vector>
struct Halves {
  typename Vector::A low, high;
};

template <class Isa, class Simd>
constexpr Kernel int4_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                             decltype(Kernel::epilogue) epilogue, uint16_t layout = 1) {
  return {.name = name,
          .tier = tier,
          .b = Type::u4,
          .sums = Sums::integers,
          .needs = Feature::none,
          .layout = layout,
          .geometry = Isa::geometry,
          .to_sums = {.plain = tiles<Isa>.run},
          .to_reals = {.plain = tiles_to_reals<Isa>()},
          .pack_a = pack_a<Simd, Isa::geometry.a>,
          .pack_b = nullptr,
          .prepare = prepare,
          .epilogue = epilogue};
}

}  // namespace
}  // namespace narrow
