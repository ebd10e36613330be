// What the Arm kernels for bits share: 32 bits of a row beside 32 bits of each of 4 columns, sums of what differs in int32.
// Registers of the 5x16 tile: 20 sums, 4 for the panels' k-step, 1 for a broadcast of A, the rest for what differs.
#pragma once

#include "kernels/common/binary_kernel.h"
#include "kernels/common/tile.h"
#include "kernels/neon/simd.h"
#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct BitVectors : Vector128 {
  using A = uint8x16_t;
  using B = uint8x16_t;
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 8, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 2, .max_rows = {9, 5}};
  static constexpr int vectors = 2, step_bytes = 32;
  static constexpr int a_bytes = 4, a_steps = 1;

  static NARROW_INLINE A load_a(const char* p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return vreinterpretq_u8_u32(vdupq_n_u32(word));
  }
  static NARROW_INLINE B load_b(const char* p) { return vld1q_u8(reinterpret_cast<const uint8_t*>(p)); }
  static NARROW_INLINE Acc finish(Acc differ, const int32_t* init) {
    return vsubq_s32(vld1q_s32(init), vshlq_n_s32(differ, 1));
  }
};

}  // namespace
}  // namespace narrow
