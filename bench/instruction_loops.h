// Loops of single instructions on registers, and of loads. Each architecture has its file; the build compiles both, and
// each is empty on the other's machine.
#pragma once

#include <cstddef>

#include "narrow/isa.h"

namespace bench {

struct Loop {
  const char* name = "";
  long macs = 0;                ///< For one step.
  void (*run)(long steps) = nullptr;
};

/// Exact int8 multiply-accumulate at the tier's full width.
Loop int8_loop(narrow::Tier tier);
/// Exact products of s8 and nibbles; below VNNI and SDOT, their sums fit 16 bits for eight steps.
Loop int4_loop(narrow::Tier tier);
/// Multiply-accumulate of bits in the tier's best way: xor, popcount and add where there is a popcount, else table lookups.
Loop binary_loop(narrow::Tier tier);
/// f32 fused multiply-add at the tier's full width.
Loop f32_loop(narrow::Tier tier);

inline constexpr std::size_t read_granule = 2048;  ///< Loops read multiples of this.
using ReadLoop = void (*)(const void* data, std::size_t bytes);
struct ReadLoops {
  ReadLoop one_stream = nullptr, four_streams = nullptr;
};
ReadLoops read_loops(narrow::Tier tier);

}  // namespace bench
