// The multiplication of int8's tiles, which those of weights of bits share.
#pragma once

#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct Dot : Vector128 {
  static constexpr int vectors = 2;
  static constexpr int a_bytes = 4, a_steps = 4;

  template <int s>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    acc = vdotq_laneq_s32(acc, b, a, s);
  }
};

}  // namespace
}  // namespace narrow
