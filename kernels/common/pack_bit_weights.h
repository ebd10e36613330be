// Weights of bits for A of bytes: panels as those of int8, with a bit for each byte (Geometry::b_bits).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "src/kernel.h"

namespace narrow {
namespace {

/// Four bits of a column, from the k 4 * i of a step on.
template <class Isa>
void put_bits(uint8_t* step, int i, int column, uint32_t bits) {
  if constexpr (requires { Isa::put(step, i, column, bits); }) {
    Isa::put(step, i, column, bits);
  } else {
    const int to = column * Isa::geometry.kr + 4 * i;
    step[to / 8] |= static_cast<uint8_t>(bits << to % 8);
  }
}

template <class Isa>
void pack_bit_weights(const PackBArgs& args) {
  constexpr int nr = Isa::geometry.nr, kr = Isa::geometry.kr;
  static_assert(Isa::geometry.b_bits == 1 && 32 % Isa::geometry.k_unit == 0, "k stays within the words of a row");
  static_assert(kr % 4 == 0 && nr * kr % 8 == 0);
  for (int first = 0; first < args.cols; first += nr) {
    const int cols = args.cols - first < nr ? args.cols - first : nr;
    uint8_t* panel = static_cast<uint8_t*>(args.dst) + first / nr * args.dst_stride;
    memset(panel, 0, static_cast<size_t>(args.k_padded * nr / 8));
    for (int c = 0; c < cols; ++c) {
      const uint8_t* row = static_cast<const uint8_t*>(args.src) + (first + c) * args.stride;
      for (ptrdiff_t k = 0; k < args.k_padded; k += 4)
        put_bits<Isa>(panel + k / kr * (nr * kr / 8), static_cast<int>(k % kr / 4), c, row[k / 8] >> k % 8 & 15);
    }
  }
}

}  // namespace
}  // namespace narrow
