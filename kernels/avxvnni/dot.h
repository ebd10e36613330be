// The multiplication of int8's tiles, which those of weights of bits share.
#pragma once

#include "kernels/avx2/vector.h"

namespace narrow {
namespace {

struct Dot : Vector256 {
  static constexpr int in_flight = 7;  // 8 would take two phases of 7x8, more registers than there are

  // Assembly with a tied operand for the reason given in avx512vnni; {vex} because the EVEX form is another tier's.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  }
  static NARROW_INLINE void dot_in_order(Acc& acc, A a, B b) {
    asm volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  }
};

}  // namespace
}  // namespace narrow
