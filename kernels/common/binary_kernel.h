// Makes the row of one kernel for A and B of bits. Both are moved by the byte (see src/kernel.h), so packing B is the same as
// for int8.
#pragma once

#include <type_traits>

#include "kernels/common/pack_b.h"
#include "kernels/common/pack_bits.h"
#include "src/kernel_tables.h"

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
/// halves are subtracted, as the difference may leave int32; their carry may, too, and then nothing differs in so many places
/// anyway. `count` is a multiple of the vectors' width.
template <class S>
void limits(const int32_t* threshold, ptrdiff_t count, int32_t* init) {
  using I = typename S::I;
  const I one = S::broadcast(int32_t{1}), ones = S::broadcast(int32_t{-1});
  for (ptrdiff_t j = 0; j < count; j += S::width) {
    const I t = S::load(threshold + j), from = S::load(init + j);
    const I carry = S::bit_and(S::bit_and(from, S::bit_xor(t, one)), one);
    const I half = S::sub(S::template shift_right_signed<1>(from), S::template shift_right_signed<1>(t));
    const I sum = S::add(half, carry);
    const I left = S::template shift_right_signed<31>(S::bit_and(sum, S::bit_xor(half, ones)));  // -1 where it has left int32
    S::store(init + j, S::add(sum, left));
  }
}

template <class Isa, template <class, bool, bool> class RunTiles, bool reals>
constexpr TileSet binary_tile_set() {
  TileSet set{.plain = binary_tiles<RunTiles<Isa, false, reals>>.run};
  if constexpr (!Isa::geometry.running) set.indirect = binary_tiles<RunTiles<Isa, true, reals>>.run;
  return set;
}

/// `RunTiles` makes the tile functions: Tiles or LookupTiles. `ToBits` is an Isa whose tiles write bits, if there is one.
template <class Isa, class Simd, template <class, bool, bool> class RunTiles, class ToBits = void>
constexpr Kernel binary_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                               decltype(Kernel::epilogue) epilogue, uint16_t layout = 1, Feature needs = Feature::none) {
  Kernel kernel = {.name = name,
                   .tier = tier,
                   .b = Type::b1,
                   .sums = Sums::bits,
                   .needs = needs,
                   .layout = layout,
                   .geometry = Isa::geometry,
                   .stream_rows = stream_rows<Isa>(),
                   .to_sums = binary_tile_set<Isa, RunTiles, false>(),
                   .pack_a = pack_bits<Simd>,
                   .pack_b = nullptr,
                   .prepare = prepare,
                   .epilogue = epilogue,
                   .add_sums = add_sums<Simd>};
  if constexpr (!Isa::geometry.running) kernel.pack_b = pack_panels<Isa>;
  if constexpr (requires { typename Isa::ToReal; }) kernel.to_reals = binary_tile_set<Isa, RunTiles, true>();
  if constexpr (!std::is_void_v<ToBits>) {
    kernel.to_bits = binary_tile_set<ToBits, RunTiles, false>();
    kernel.limits = limits<Simd>;
  }
  return kernel;
}

/// The xor of each step of k with all steps before it, for A and B: see Geometry::running. Isa has, besides its dots, run_row
/// and run_panel, which make such of what Plain's operands are; Plain's panels are the vectors of which a step of Isa takes
/// several.
template <class Isa, class Simd>
void pack_running_a(const PackAArgs& args) {
  const char* from = static_cast<const char*>(args.src);
  char* to = static_cast<char*>(args.dst);
  ptrdiff_t stride = args.stride, bytes = args.k;
  if (args.src_type != Type::b1) {
    pack_bits<Simd>(args);
    from = to;
    stride = bytes = args.k_padded;
  }
  for (int i = 0; i < args.rows; ++i) Isa::run_row(from + i * stride, bytes, args.k_padded, to + i * args.k_padded);
}
template <class Isa, class Plain>
void pack_running_b(const PackBArgs& args) {
  pack_panels<Plain>(args);
  constexpr Geometry g = Plain::geometry;
  for (int first = 0; first < args.cols; first += g.nr)
    Isa::run_panel(static_cast<char*>(args.dst) + first / g.nr * args.dst_stride, args.k_padded / g.kr);
}

template <class Isa, class Plain, class Simd, class ToBits = void>
constexpr Kernel running_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                                decltype(Kernel::epilogue) epilogue, uint16_t layout, Feature needs, int64_t from_k,
                                int64_t few_columns_from_k) {
  Kernel kernel = binary_kernel<Isa, Simd, Tiles, ToBits>(name, tier, prepare, epilogue, layout, needs);
  kernel.pack_a = pack_running_a<Isa, Simd>;
  kernel.pack_b = pack_running_b<Isa, Plain>;
  kernel.from_k = from_k;
  kernel.few_columns_from_k = few_columns_from_k;
  return kernel;
}

}  // namespace
}  // namespace narrow
