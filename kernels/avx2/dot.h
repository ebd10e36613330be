// The multiplication of int8's tiles, which those of weights of bits share.
#pragma once

#include "kernels/avx2/vector.h"

namespace narrow {
namespace {

struct Dot : Vector256 {
  static constexpr int in_flight = 4;

  // As assembly with a tied operand: from the intrinsics, g++ 12 copies and spills the accumulators.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Acc pairs;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(pairs) : "x"(a), "x"(b));
  }
};

}  // namespace
}  // namespace narrow
