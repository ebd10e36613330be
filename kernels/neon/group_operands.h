// Operands of the Arm tiers' tiles for weights with groups of k. `Dots` is how a tier adds up products (see group_tile.h).
#pragma once

#include <arm_neon.h>
#include <stdint.h>

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

/// Four s8 of a row, broadcast; and as many of each of four columns.
struct GroupOperands {
  using A = int8x16_t;
  using B = int8x16_t;

  static NARROW_INLINE A load_a(const char* p) {
    return vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(p)));
  }
};

/// Weights of 4 bits, which are 0..15 as s8, too.
template <class Dots>
struct NibbleSteps : Dots {
  using Packed = uint8x16_t;
  static constexpr int halves = 2;

  static NARROW_INLINE Packed load_b(const char* p) { return vld1q_u8(reinterpret_cast<const uint8_t*>(p)); }
  template <int half>
  static NARROW_INLINE int8x16_t half_of(Packed pairs) {
    return vreinterpretq_s8_u8(half == 0 ? vandq_u8(pairs, vdupq_n_u8(15)) : vshrq_n_u8(pairs, 4));
  }
};

/// Weights of 8 bits.
template <class Dots>
struct ByteSteps : Dots {
  using Packed = int8x16_t;
  static constexpr int halves = 1;

  static NARROW_INLINE Packed load_b(const char* p) { return vld1q_s8(reinterpret_cast<const int8_t*>(p)); }
  template <int>
  static NARROW_INLINE int8x16_t half_of(Packed b) {
    return b;
  }
};

}  // namespace
}  // namespace narrow
