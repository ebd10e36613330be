// The 128-bit registers that the integer tiles of the Arm tiers share.
#pragma once

#include <arm_neon.h>
#include <stdint.h>

#include "kernels/common/to_real.h"
#include "kernels/common/unroll.h"
#include "kernels/neon/simd.h"

namespace narrow {
namespace {

/// -1 where the bit that belongs to a byte is 0, else +1, of two bytes of bits.
NARROW_INLINE int8x16_t signs_of(const char* p) {
  const auto* bits = reinterpret_cast<const uint8_t*>(p);
  const uint8x16_t own = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  const uint8x16_t clear = vceqzq_u8(vandq_u8(vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1])), own));
  return vreinterpretq_s8_u8(vorrq_u8(clear, vdupq_n_u8(1)));
}

struct Vector128 {
  using Acc = int32x4_t;
  using A = int8x16_t;
  using B = int8x16_t;
  static constexpr int lanes = 4;
  static constexpr bool prefetches = false;  // a tenth of a loop, for a gain that nobody has measured
  static constexpr int in_flight = 12;       // four pipes, latency 3 (neoverse-v2)

  static NARROW_INLINE A load_a(const char* p) { return vld1q_s8(reinterpret_cast<const int8_t*>(p)); }
  static NARROW_INLINE B load_b(const char* p) { return vld1q_s8(reinterpret_cast<const int8_t*>(p)); }
  static NARROW_INLINE Acc zero() { return vdupq_n_s32(0); }
  static NARROW_INLINE Acc add(Acc a, Acc b) { return vaddq_s32(a, b); }
  static NARROW_INLINE Acc finish(Acc sum, const int32_t* init) { return add(sum, vld1q_s32(init)); }
  using ToReal = Scaling<Simd>;
  static NARROW_INLINE void store(int32_t* p, Acc v) { vst1q_s32(p, v); }
  static NARROW_INLINE void store_partial(int32_t* p, Acc v, int count) {
    if (count & 2) {
      vst1_s32(p, vget_low_s32(v));
      p += 2;
      v = vextq_s32(v, v, 2);
    }
    if (count & 1) vst1q_lane_s32(p, v, 0);
  }
};

}  // namespace
}  // namespace narrow
