// Weights of bits for A of bytes on Arm with the dot product instructions: the products of int8.
#include "kernels/common/gemm_kernel.h"
#include "kernels/neon/simd.h"
#include "kernels/neon_dotprod/dot.h"

namespace narrow {
namespace {

struct BitWeights : Dot {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 4, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {9, 5}, .b_bits = 1};
  static constexpr int step_bytes = 4;

  static NARROW_INLINE B load_b(const char* p) { return signs_of(p); }
};

constexpr Kernel rows[] = {
    gemm_kernel<BitWeights, Simd>("gemm_s8b1_5x16x4_neon_dotprod", Tier::neon_dotprod, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_dotprod_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
