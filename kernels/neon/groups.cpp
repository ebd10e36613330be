// Weights of 4 and 8 bits with groups of k on baseline AArch64, exact over the whole range.
//
// 4 bits: SMLAL adds products of nibbles, as s8, with s8 of a row in 16 bits, two registers for 4 columns: eight k-steps of at
// most 15 * 128 = 1920 fit. 8 bits: SMULL, and SADALP adds pairs of products to int32.
#include "kernels/common/group_kernel.h"
#include "kernels/neon/group_operands.h"
#include "kernels/neon/simd.h"

namespace narrow {
namespace {

/// Sums of 16 bits.
struct ShortDots : GroupOperands {
  struct Acc {
    int16x8_t low, high;  // two columns each, the products of their four k side by side
  };
  static constexpr int in_flight = 4, narrow_steps = 8;

  static NARROW_INLINE Acc zero() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static NARROW_INLINE Simd::I to_int(Acc x) { return vpaddq_s32(vpaddlq_s16(x.low), vpaddlq_s16(x.high)); }
  static NARROW_INLINE void dot(Acc& acc, B b, A a) {
    acc.low = vmlal_s8(acc.low, vget_low_s8(b), vget_low_s8(a));
    acc.high = vmlal_high_s8(acc.high, b, a);
  }
};

struct LongDots : GroupOperands {
  struct Acc {
    int32x4_t low, high;  // two columns each, two sums for a column
  };
  static constexpr int in_flight = 4, narrow_steps = 0;

  static NARROW_INLINE Acc zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static NARROW_INLINE Acc from(Simd::I x) {
    const int32x4_t sums = x, none = vdupq_n_s32(0);
    return {vzip1q_s32(sums, none), vzip2q_s32(sums, none)};
  }
  static NARROW_INLINE Simd::I to_int(Acc x) { return vpaddq_s32(x.low, x.high); }
  static NARROW_INLINE void dot(Acc& acc, B b, A a) {
    acc.low = vpadalq_s16(acc.low, vmull_s8(vget_low_s8(b), vget_low_s8(a)));
    acc.high = vpadalq_s16(acc.high, vmull_high_s8(b, a));
  }
};

struct Int4 : NibbleSteps<ShortDots> {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 4, .k_unit = 8, .row_group = 1, .max_panels = 4, .max_rows = {4, 4, 4, 4}, .b_offset = 0};
};
struct Int8 : ByteSteps<LongDots> {
  static constexpr Geometry geometry = Int4::geometry;
};

constexpr Kernel rows[] = {
    group_kernel<Int4, Simd>("gemm_s8u4g_4x8x4_neon", Tier::neon, Type::u4, neon_prepare, neon_epilogue),
    group_kernel<Int8, Simd>("gemm_s8s8g_4x8x4_neon", Tier::neon, Type::s8, neon_prepare, neon_epilogue),
};

}  // namespace

KernelTable neon_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
