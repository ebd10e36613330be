// Weights of bits for A of bytes on baseline AArch64: the products of int8.
#include "kernels/common/gemm_kernel.h"
#include "kernels/neon/dot.h"
#include "kernels/neon/simd.h"

namespace narrow {
namespace {

struct BitWeights : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 16, .k_unit = 16, .row_group = 1, .max_panels = 1, .max_rows = {2}, .b_bits = 1};
  static constexpr int step_bytes = 16;

  static NARROW_INLINE B load_b(const char* p) { return signs_of(p); }
};

constexpr Kernel rows[] = {gemm_kernel<BitWeights, Simd>("gemm_s8b1_2x8x16_neon", Tier::neon, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
