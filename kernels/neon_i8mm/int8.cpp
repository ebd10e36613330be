// int8 on Arm with the matrix multiply instructions: SMMLA multiplies eight s8 of each of 2 rows by eight of each of 2 columns
// and adds the four dot products to the four int32 of an accumulator. pack_a interleaves pairs of rows to suit.
//
//   accumulator   | r0 c0 | r0 c1 | r1 c0 | r1 c1 |        two of them make four columns of each row at the end
//
// A single row costs no more than with SDOT: either way one instruction takes 16 bytes of B.
// Registers of the 12x8 tile: 24 sums, 4 for the panel's k-step, 1 to 4 for A.
#include "kernels/common/gemm_kernel.h"
#include "kernels/neon/simd.h"
#include "kernels/neon/vector.h"

namespace narrow {
namespace {

struct Int8 : Vector128 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 8, .k_unit = 8, .row_group = 2, .max_panels = 2, .max_rows = {12, 4}};
  static constexpr int vectors = 4, step_bytes = 64;
  static constexpr int a_bytes = 16, a_steps = 1;

  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    acc = vmmlaq_s32(acc, a, b);
  }
  static NARROW_INLINE Acc output(const Acc (&acc)[vectors], int row, int v) {
    const int64x2_t left = vreinterpretq_s64_s32(acc[2 * v]), right = vreinterpretq_s64_s32(acc[2 * v + 1]);
    return vreinterpretq_s32_s64(row == 0 ? vzip1q_s64(left, right) : vzip2q_s64(left, right));
  }
};

constexpr Kernel rows[] = {gemm_kernel<Int8, Simd>("gemm_s8s8_12x8x8_neon_i8mm", Tier::neon_i8mm, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_i8mm_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
