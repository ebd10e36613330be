// The multiplication of int8's tiles, which those of weights of bits share.
#pragma once

#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct Dot : Vector128 {
  static constexpr int a_bytes = 16, a_steps = 1;

  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    acc = vpadalq_s16(acc, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    acc = vpadalq_s16(acc, vmull_high_s8(a, b));
  }
};

}  // namespace
}  // namespace narrow
