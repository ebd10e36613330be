// Weights of 4 bits on Arm with the dot product instructions: SDOT multiplies four nibbles of each of 4 columns, which as s8
// are what they are, by four s8 of a row. One load of a row serves two steps, each half of which takes its quarter of the
// register. Registers of the 5x16 tile: 20 sums, 5 rows of A, 2 or more for the halves of a panel's step.
#include "kernels/common/gemm_kernel.h"
#include "kernels/common/halves.h"
#include "kernels/neon/simd.h"
#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct Int4 : Vector128 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 8, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {8, 5}, .b_bits = 4};
  static constexpr int vectors = 2, step_bytes = 32, a_bytes = 8, a_steps = 2;
  using B = Halves<Vector128>;

  static NARROW_INLINE B load_b(const char* p) {
    const uint8x16_t pairs = vld1q_u8(reinterpret_cast<const uint8_t*>(p));
    return {vreinterpretq_s8_u8(vandq_u8(pairs, vdupq_n_u8(15))), vreinterpretq_s8_u8(vshrq_n_u8(pairs, 4))};
  }
  template <int s>
  static NARROW_INLINE void dot(Acc& acc, A a, const B& b) {
    acc = vdotq_laneq_s32(acc, b.low, a, 2 * s);
    acc = vdotq_laneq_s32(acc, b.high, a, 2 * s + 1);
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int4, Simd>("gemm_s8u4_5x16x8_neon_dotprod", Tier::neon_dotprod, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_dotprod_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
