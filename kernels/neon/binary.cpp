// Bits on baseline AArch64: EOR compares, CNT counts in bytes the bits that differ, UADDLP adds the counts to pairs, UADALP
// these to the sums of the columns.
#include "kernels/neon/bits.h"

namespace narrow {
namespace {

struct Bits : BitVectors {
  template <int>
  static NARROW_INLINE void dot(Acc& differ, A a, B b) {
    const uint16x8_t pairs = vpaddlq_u8(vcntq_u8(veorq_u8(a, b)));
    differ = vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(differ), pairs));
  }
};

constexpr Kernel rows[] = {binary_kernel<Bits, Simd, Tiles>("gemm_b1b1_5x16x32_neon", Tier::neon, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
