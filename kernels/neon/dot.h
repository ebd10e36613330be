// The multiplication of int8's tiles, which those of weights of bits share. An accumulator is one row times one column: no
// broadcast, and the four partial sums of each are added up at the end. Eight columns make a panel, so that its bits of C are a
// whole byte.
#pragma once

#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct Dot : Vector128 {
  static constexpr int a_bytes = 16, a_steps = 1, vectors = 8;

  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    acc = vpadalq_s16(acc, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    acc = vpadalq_s16(acc, vmull_high_s8(a, b));
  }
  static NARROW_INLINE Acc output(const Acc (&acc)[vectors], int, int v) {
    return vpaddq_s32(vpaddq_s32(acc[4 * v], acc[4 * v + 1]), vpaddq_s32(acc[4 * v + 2], acc[4 * v + 3]));
  }
};

}  // namespace
}  // namespace narrow
