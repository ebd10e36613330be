// Makes the row of one kernel for A and B of bits. Both are moved by the byte (see src/kernel.h), so packing B is the same as
// for int8, and packing A is a copy.
#pragma once

#include <string.h>

#include "kernels/common/pack_b.h"

namespace narrow {
namespace {

inline void pack_bits_of_a(const PackAArgs& args) {
  for (int i = 0; i < args.rows; ++i) {
    char* row = static_cast<char*>(args.dst) + i * args.k_padded;
    memcpy(row, static_cast<const char*>(args.src) + i * args.stride, static_cast<size_t>(args.k));
    memset(row + args.k, 0, static_cast<size_t>(args.k_padded - args.k));
  }
}

template <class T>
constexpr T binary_tiles;

/// `RunTiles` makes the tile functions: Tiles or LookupTiles.
template <class Isa, template <class, bool> class RunTiles>
constexpr Kernel binary_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                               decltype(Kernel::epilogue) epilogue, uint16_t layout = 1, Feature needs = Feature::none) {
  return {.name = name,
          .tier = tier,
          .b = Type::b1,
          .sums = Sums::integers,
          .needs = needs,
          .layout = layout,
          .geometry = Isa::geometry,
          .run = binary_tiles<RunTiles<Isa, false>>.run,
          .run_indirect = binary_tiles<RunTiles<Isa, true>>.run,
          .pack_a = pack_bits_of_a,
          .pack_b = pack_panels<Isa>,
          .prepare = prepare,
          .epilogue = epilogue};
}

}  // namespace
}  // namespace narrow
