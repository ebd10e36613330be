// Makes the row of one GEMM kernel from its instruction set (see tile.h), its tier's vectors (see simd.h), and the arithmetic
// of the tiers with such vectors (see NARROW_DECLARE_EPILOGUES in src/kernel.h).
#pragma once

#include "kernels/common/pack_a.h"
#include "kernels/common/pack_b.h"
#include "kernels/common/tile.h"

namespace narrow {
namespace {

template <class Isa>
constexpr Tiles<Isa> tiles;

template <class Isa, class Simd>
constexpr Kernel gemm_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                             decltype(Kernel::epilogue) epilogue, uint16_t layout = 1) {
  return {.name = name,
          .tier = tier,
          .b = Type::s8,
          .sums = Sums::integers,
          .needs = Feature::none,
          .layout = layout,
          .geometry = Isa::geometry,
          .run = tiles<Isa>.run,
          .pack_a = pack_a<Simd, Isa::geometry.a, Isa::geometry.row_group, Isa::geometry.kr>,
          .pack_b = pack_b<Isa>,
          .prepare = prepare,
          .epilogue = epilogue};
}

}  // namespace
}  // namespace narrow
