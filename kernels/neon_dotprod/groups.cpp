// Weights of 4 and 8 bits with groups of k on Arm with the dot product instructions: SDOT multiplies four s8 (or nibbles, which
// as s8 are what they are) of each of 4 columns by four of a row. Registers of the 6x8 tile: 12 sums of a group, 12 float sums,
// 4 for a k-step of B and what it comes from, 1 or 2 for broadcasts of A.
#include "kernels/common/group_kernel.h"
#include "kernels/neon/group_operands.h"
#include "kernels/neon/simd.h"

namespace narrow {
namespace {

struct Dots : GroupOperands {
  using Acc = int32x4_t;
  static constexpr int in_flight = 12, narrow_steps = 0;

  static NARROW_INLINE Acc zero() { return vdupq_n_s32(0); }
  static NARROW_INLINE Acc from(Simd::I x) { return x; }
  static NARROW_INLINE Simd::I to_int(Acc x) { return x; }
  static NARROW_INLINE void dot(Acc& acc, B b, A a) { acc = vdotq_s32(acc, b, a); }
};

struct Int4 : NibbleSteps<Dots> {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {6, 6, 6, 6}, .b_offset = 0};
};
struct Int8 : ByteSteps<Dots> {
  static constexpr Geometry geometry = Int4::geometry;
};

constexpr Kernel rows[] = {
    group_kernel<Int4, Simd>("gemm_s8u4g_6x8x4_neon_dotprod", Tier::neon_dotprod, Type::u4, neon_prepare, neon_epilogue),
    group_kernel<Int8, Simd>("gemm_s8s8g_6x8x4_neon_dotprod", Tier::neon_dotprod, Type::s8, neon_prepare, neon_epilogue),
};

}  // namespace

KernelTable neon_dotprod_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
