// int8 on Arm with the dot product instructions: SDOT by element multiplies four s8 of each of 4 columns by the same four of a
// row and adds them up in int32. One load of a row serves four k-steps, each taking its quarter of the register.
// Registers of the 5x16 tile: 20 sums, 5 rows of A, 4 to 7 for the panels' k-step.
#include "kernels/common/gemm_kernel.h"
#include "kernels/neon/simd.h"
#include "kernels/neon_dotprod/dot.h"

namespace narrow {
namespace {

struct Int8 : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 4, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {9, 5}};
  static constexpr int step_bytes = 32;

  static NARROW_INLINE A flip(A a) { return veorq_s8(a, vdupq_n_s8(-128)); }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int8, Simd>("gemm_s8s8_5x16x4_neon_dotprod", Tier::neon_dotprod, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_dotprod_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
