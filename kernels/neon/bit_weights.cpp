// Weights of bits for A of bytes on baseline AArch64: the products of int8, two of which fit 16 bits here.
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
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    acc = vpadalq_s16(acc, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b));
  }
};

constexpr Kernel rows[] = {gemm_kernel<BitWeights, Simd>("gemm_s8b1_2x8x16_neon", Tier::neon, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
