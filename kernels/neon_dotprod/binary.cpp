// Bits on Arm with the dot product instructions: EOR compares, CNT counts in bytes the bits that differ, UDOT with ones adds
// the four counts of each column to its sum.
#include "kernels/neon/bits.h"

namespace narrow {
namespace {

struct Bits : BitVectors {
  template <int>
  static NARROW_INLINE void dot(Acc& differ, A a, B b) {
    const uint8x16_t counts = vcntq_u8(veorq_u8(a, b));
    differ = vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(differ), counts, vdupq_n_u8(1)));
  }
};

constexpr Kernel rows[] = {
    binary_kernel<Bits, Simd, Tiles>("gemm_b1b1_5x16x32_neon_dotprod", Tier::neon_dotprod, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_dotprod_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
