// int8 on baseline AArch64, exact over the whole range: SMULL gives eight 16-bit products of one row and one column (each at
// most 2^14), SADALP adds their pairs to four int32. Adding two products in 16 bits first would save a SADALP, but
// -128 * -128 twice leaves the range; and the two run in different pipes, so that it would gain nothing.
// Registers of the 2x8 tile: 16 sums, 8 columns of B, 1 or 2 rows of A, the rest for products.
#include "kernels/common/gemm_kernel.h"
#include "kernels/neon/dot.h"
#include "kernels/neon/simd.h"

namespace narrow {
namespace {

struct Int8 : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 16, .k_unit = 16, .row_group = 1, .max_panels = 1, .max_rows = {2}};
  static constexpr int step_bytes = 128;
};

constexpr Kernel rows[] = {gemm_kernel<Int8, Simd>("gemm_s8s8_2x8x16_neon", Tier::neon, neon_prepare, neon_epilogue, 2)};

}  // namespace

KernelTable neon_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
