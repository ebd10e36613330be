// Makes the row of one GEMM kernel from its instruction set (see tile.h), its tier's vectors (see simd.h), and the arithmetic
// of the tiers with such vectors (see NARROW_DECLARE_EPILOGUES in src/kernel_tables.h).
#pragma once

#include "kernels/common/crossed.h"
#include "kernels/common/pack_a.h"
#include "kernels/common/pack_b.h"
#include "kernels/common/pack_bit_weights.h"
#include "kernels/common/tile.h"
#include "src/kernel_tables.h"

namespace narrow {
namespace {

/// The same tiles for A of the other signedness: they flip the top bit of its values as they load them.
template <class Isa>
struct Flipped : Isa {
  static NARROW_INLINE typename Isa::A load_a(const char* p) { return Isa::flip(Isa::load_a(p)); }
  static NARROW_INLINE typename Isa::A load_step(const char* p) requires LoadsStep<Isa> { return Isa::flip(Isa::load_step(p)); }
};
/// With what there is for few rows.
template <class Isa>
struct FlippedRows : Flipped<Isa> {};
template <class Isa>
requires requires { typename Isa::Few; }
struct FlippedRows<Isa> : Flipped<Isa> {
  using Few = Flipped<typename Isa::Few>;
};

/// The weights are int8, or as few bits as Isa::geometry says.
template <class Isa, class Simd>
constexpr Kernel gemm_kernel(const char* name, Tier tier, decltype(Kernel::prepare) prepare,
                             decltype(Kernel::epilogue) epilogue, uint16_t layout = 1) {
  Kernel kernel = {.name = name,
                   .tier = tier,
                   .b = Isa::geometry.b_bits == 1   ? Type::b1
                        : Isa::geometry.b_bits == 4 ? Type::u4
                                                    : Type::s8,
                   .sums = Sums::integers,
                   .needs = Feature::none,
                   .layout = layout,
                   .geometry = Isa::geometry,
                   .stream_rows = stream_rows<Isa>(),
                   .to_sums = {.plain = tiles<Isa>.run},
                   .to_reals = {.plain = tiles_to_reals<Isa>()},
                   .reals_to_bytes = StoresBytes<Isa>,
                   .pack_a = pack_a<Simd, Isa::geometry.a, Isa::geometry.row_group, Isa::geometry.kr>,
                   .pack_b = nullptr,  // nibbles are laid out in portable code
                   .prepare = prepare,
                   .epilogue = epilogue};
  if constexpr (Isa::geometry.b_bits == 8) {
    kernel.pack_b = pack_panels<Isa>;
    kernel.sum_columns = sum_columns<Isa>;
  } else if constexpr (Isa::geometry.b_bits == 1) {
    kernel.pack_b = pack_bit_weights<Isa>;
    kernel.to_sums.indirect = tiles<Isa, true>.run;
    kernel.to_reals.indirect = tiles_to_reals<Isa, true>();
  }
  if constexpr (requires(typename Isa::A a) { Isa::flip(a); }) {
    kernel.to_sums.flipped = tiles<FlippedRows<Isa>>.run;
    kernel.to_reals.flipped = tiles_to_reals<FlippedRows<Isa>>();
  }
  if constexpr (requires { typename Isa::Unpacked; }) {
    using Unpacked = typename Isa::Unpacked;
    static_assert(StoresBytes<Unpacked> == StoresBytes<Isa>);
    kernel.unpacking = {.run = unpack<Isa>, .geometry = Unpacked::geometry, .from_rows = Unpacked::from_rows};
    kernel.to_sums.unpacked = tiles<Unpacked>.run;
    kernel.to_reals.unpacked = tiles_to_reals<Unpacked>();
  }
  return kernel;
}

}  // namespace
}  // namespace narrow
