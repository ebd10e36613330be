// Makes the row of one kernel for A and B of bits. Both are moved by the byte (see src/kernel.h), so packing B is the same as
// for int8.
#pragma once

#include "kernels/common/pack_b.h"
#include "kernels/common/pack_bits.h"

namespace narrow {
namespace {

template <class T>
constexpr T binary_tiles;

/// Modulo 2^32, as all sums are.
template <class S>
void add_sums(const int32_t* from, ptrdiff_t count, int32_t* sum) {
  ptrdiff_t j = 0;
  for (; count - j >= S::width; j += S::width) S::store(sum + j, S::add(S::load(sum + j), S::load(from + j)));
  if (const int left = static_cast<int>(count - j); left > 0)
    S::store(sum + j, S::add(S::load(sum + j, left), S::load(from + j, left)), left);
}

/// `RunTiles` makes the tile functions: Tiles or LookupTiles.
template <class Isa, class Simd, template <class, bool> class RunTiles>
constexpr Kernel binary_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                               decltype(Kernel::epilogue) epilogue, uint16_t layout = 1, Feature needs = Feature::none) {
  return {.name = name,
          .tier = tier,
          .b = Type::b1,
          .sums = Sums::bits,
          .needs = needs,
          .layout = layout,
          .geometry = Isa::geometry,
          .run = binary_tiles<RunTiles<Isa, false>>.run,
          .run_indirect = binary_tiles<RunTiles<Isa, true>>.run,
          .pack_a = pack_bits<Simd>,
          .pack_b = pack_panels<Isa>,
          .prepare = prepare,
          .epilogue = epilogue,
          .add_sums = add_sums<Simd>};
}

}  // namespace
}  // namespace narrow
