// Makes the row of one GEMM kernel from its instruction set (see tile.h) and its tier's vector arithmetic (see simd.h).
#pragma once

#include "kernels/common/columns.h"
#include "kernels/common/epilogue.h"
#include "kernels/common/pack_a.h"
#include "kernels/common/pack_b.h"
#include "kernels/common/tile.h"

namespace narrow {
namespace {

template <class Isa>
constexpr Tiles<Isa> tiles;

template <class Isa, class Simd>
constexpr Kernel gemm_kernel(const char* name, Tier tier, uint16_t layout = 1) {
  return {.name = name,
          .tier = tier,
          .b = Type::s8,
          .layout = layout,
          .geometry = Isa::geometry,
          .run = tiles<Isa>.run,
          .pack_a = pack_a<Simd, Isa::geometry.a, Isa::geometry.row_group, Isa::geometry.kr>,
          .pack_b = pack_b<Isa>,
          .prepare = prepare<Simd>,
          .epilogue = select_epilogue<Simd>};
}

}  // namespace
}  // namespace narrow
