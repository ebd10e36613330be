// Makes the row of one kernel for A and B of bits. Both are moved by the byte (see src/kernel.h), so packing B is the same as
// for int8.
#pragma once

#include <type_traits>

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

/// A sum is init - 2 * differ: at most the threshold where differ is at least half of init - threshold, rounded up. The
/// halves are subtracted, as the difference may leave int32. `count` is a multiple of the vectors' width.
template <class S>
void limits(const int32_t* threshold, ptrdiff_t count, int32_t* init) {
  using I = typename S::I;
  const I one = S::broadcast(int32_t{1});
  for (ptrdiff_t j = 0; j < count; j += S::width) {
    const I t = S::load(threshold + j), from = S::load(init + j);
    const I carry = S::bit_and(S::bit_and(from, S::bit_xor(t, one)), one);
    const I half = S::sub(S::template shift_right_signed<1>(from), S::template shift_right_signed<1>(t));
    S::store(init + j, S::add(half, carry));
  }
}

/// `RunTiles` makes the tile functions: Tiles or LookupTiles. `ToBits` is an Isa whose tiles write bits, if there is one.
template <class Isa, class Simd, template <class, bool> class RunTiles, class ToBits = void>
constexpr Kernel binary_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                               decltype(Kernel::epilogue) epilogue, uint16_t layout = 1, Feature needs = Feature::none) {
  Kernel kernel = {.name = name,
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
  if constexpr (!std::is_void_v<ToBits>) {
    kernel.run_to_bits = binary_tiles<RunTiles<ToBits, false>>.run;
    kernel.run_to_bits_indirect = binary_tiles<RunTiles<ToBits, true>>.run;
    kernel.limits = limits<Simd>;
  }
  return kernel;
}

}  // namespace
}  // namespace narrow
