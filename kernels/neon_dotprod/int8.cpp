// int8 on Arm with the dot product instructions: SDOT by element multiplies four s8 of each of 4 columns by the same four of a
// row and adds them up in int32. One load of a row serves four k-steps, each taking its quarter of the register.
// Registers of the 5x16 tile: 20 sums, 5 rows of A, 4 to 7 for the panels' k-step.
#include "kernels/common/gemm_kernel.h"
#include "kernels/neon/simd.h"
#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct Int8 : Vector128 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 4, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {9, 5}};
  static constexpr int vectors = 2, step_bytes = 32;
  static constexpr int a_bytes = 4, a_steps = 4;

  static NARROW_INLINE A flip(A a) { return veorq_s8(a, vdupq_n_s8(-128)); }
  template <int s>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    acc = vdotq_laneq_s32(acc, b, a, s);
  }
};

/// Weights of bits.
struct BitWeights : Int8 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 4, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {9, 5}, .b_bits = 1};
  static constexpr int step_bytes = 4;

  static NARROW_INLINE B load_b(const char* p) { return signs_of(p); }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int8, Simd>("gemm_s8s8_5x16x4_neon_dotprod", Tier::neon_dotprod, neon_prepare, neon_epilogue),
    bit_weights_kernel<BitWeights, Simd>("gemm_s8b1_5x16x4_neon_dotprod", Tier::neon_dotprod, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_dotprod_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
