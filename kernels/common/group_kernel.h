// Makes the row of a kernel for weights with groups of k (see group_tile.h).
#pragma once

#include "kernels/common/group_tile.h"
#include "kernels/common/pack_group_a.h"
#include "src/kernel_tables.h"

namespace narrow {
namespace {

template <class Isa, class S>
constexpr GroupTiles<Isa, S> group_tiles;

/// Layouts 1 and 2 of nibbles were pairs of k-steps.
template <class Isa, class S>
constexpr Kernel group_kernel(const char* name, Tier tier, Type b, decltype(Kernel::prepare) prepare,
                              decltype(Kernel::epilogue) epilogue, uint16_t layout = Isa::halves == 2 ? 3 : 1) {
  Kernel kernel = {.name = name,
                   .tier = tier,
                   .b = b,
                   .sums = Sums::groups,
                   .needs = Feature::none,
                   .layout = layout,
                   .geometry = Isa::geometry,
                   .to_sums = {.plain = group_tiles<Isa, S>.run},
                   .to_reals = {.plain = group_tiles<Isa, S>.run},
                   .pack_a = pack_group_a<S>,
                   .pack_b = nullptr,
                   .prepare = prepare,
                   .epilogue = epilogue};
  if constexpr (requires { Isa::l2_rows; }) {
    kernel.unasked_rows = Isa::unasked_rows;
    kernel.l2_rows = Isa::l2_rows;
  }
  return kernel;
}

}  // namespace
}  // namespace narrow
