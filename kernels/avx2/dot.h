// The multiplication of the tiles for A of 16 bits, with registers of either width: of int8, and of weights of bits.
#pragma once

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

template <class Vector>
struct Dot : Vector {
  using typename Vector::A;
  using typename Vector::Acc;
  using typename Vector::B;
  static constexpr int in_flight = 4;

  // As assembly with a tied operand: from the intrinsics, g++ 12 copies and spills the accumulators.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Acc pairs;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+v"(acc), "=&v"(pairs) : "v"(a), "v"(b));
  }
  static NARROW_INLINE void dot_in_order(Acc& acc, A a, B b) {
    Acc pairs;
    asm volatile("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+v"(acc), "=&v"(pairs) : "v"(a), "v"(b));
  }
};

}  // namespace
}  // namespace narrow
