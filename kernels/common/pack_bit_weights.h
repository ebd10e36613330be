// Weights of bits for A of bytes: panels as those of int8, with a bit for each byte (Geometry::b_bits).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "src/kernel.h"

namespace narrow {
namespace {

template <class Isa>
void pack_bit_weights(const PackBArgs& args) {
  constexpr int nr = Isa::geometry.nr, kr = Isa::geometry.kr, piece = kr < 8 ? kr : 8;
  static_assert(Isa::geometry.b_bits == 1 && 32 % Isa::geometry.k_unit == 0, "k stays within the words of a row");
  static_assert(8 % piece == 0 && kr % piece == 0 && nr % 8 == 0);
  for (int first = 0; first < args.cols; first += nr) {
    const int cols = args.cols - first < nr ? args.cols - first : nr;
    uint8_t* panel = static_cast<uint8_t*>(args.dst) + first / nr * args.dst_stride;
    memset(panel, 0, static_cast<size_t>(args.k_padded * nr / 8));
    for (int c = 0; c < cols; ++c) {
      const uint8_t* row = static_cast<const uint8_t*>(args.src) + (first + c) * args.stride;
      for (ptrdiff_t k = 0; k < args.k_padded; k += piece) {
        const int bits = row[k / 8] >> k % 8 & ((1 << piece) - 1);
        const ptrdiff_t to = (k / kr * nr + c) * kr + k % kr;
        panel[to / 8] |= static_cast<uint8_t>(bits << to % 8);
      }
    }
  }
}

}  // namespace
}  // namespace narrow
