// Weights of 4 bits on baseline AArch64, exact over the whole range: SMULL multiplies nibbles, as s8, by s8 of a row, at most
// 15 * 128 = 1920 in magnitude; those of both halves of a step are added in 16 bits, and SADALP adds their pairs to int32. An
// accumulator is two columns, each with two sums, added up at the end. Registers of the 4x8 tile: 16 sums, 4 and 2 for a step
// of B and what it comes from, 2 for broadcasts of A, the rest for products.
#include "kernels/common/gemm_kernel.h"
#include "kernels/common/halves.h"
#include "kernels/neon/simd.h"
#include "kernels/neon/vector.h"

namespace narrow {
namespace {

/// Registers half as wide.
struct Vector64 {
  using A = int8x8_t;
};

struct Int4 : Vector128 {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 8, .k_unit = 8, .row_group = 1, .max_panels = 1, .max_rows = {4}, .b_bits = 4};
  static constexpr int vectors = 4, step_bytes = 32, a_bytes = 8, a_steps = 1;
  using A = Halves<Vector64>;
  using B = Halves<Vector64>;

  static NARROW_INLINE A load_a(const char* p) {
    const auto broadcast = [](const char* from) NARROW_LAMBDA {
      return vreinterpret_s8_s32(vld1_dup_s32(reinterpret_cast<const int32_t*>(from)));
    };
    return {broadcast(p), broadcast(p + 4)};
  }
  static NARROW_INLINE B load_b(const char* p) {
    const uint8x8_t pairs = vld1_u8(reinterpret_cast<const uint8_t*>(p));
    return {vreinterpret_s8_u8(vand_u8(pairs, vdup_n_u8(15))), vreinterpret_s8_u8(vshr_n_u8(pairs, 4))};
  }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, const A& a, const B& b) {
    acc = vpadalq_s16(acc, vmlal_s8(vmull_s8(b.low, a.low), b.high, a.high));
  }
  static NARROW_INLINE Acc output(const Acc (&acc)[vectors], int, int v) { return vpaddq_s32(acc[2 * v], acc[2 * v + 1]); }
};

constexpr Kernel rows[] = {gemm_kernel<Int4, Simd>("gemm_s8u4_4x8x8_neon", Tier::neon, neon_prepare, neon_epilogue)};

}  // namespace

KernelTable neon_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
