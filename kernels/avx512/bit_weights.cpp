// Weights of bits for A of bytes on AVX-512 without VNNI. A step of 16 columns and 16 k is four times 64 bits, for 4 k each:
// the mask of a blend of -1 and +1. Registers of the 10x32 tile: zmm0-19 sums, 8 for a step of B, 2 for products, ones, +1; -1
// is in memory.
#include "kernels/avx2/byte_dots.h"
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Signs : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 16, .kr = 16, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {16, 10}, .b_bits = 1};
  static constexpr int step_bytes = 32;

  static NARROW_INLINE ByteDotsB<Vector512> load_b(const char* p) {
    ByteDotsB<Vector512> b;
    unroll<byte_dots>([&](int i) NARROW_LAMBDA {
      __mmask64 bits;
      memcpy(&bits, p + 8 * i, sizeof bits);
      b.of[i] = _mm512_mask_blend_epi8(bits, _mm512_set1_epi8(-1), _mm512_set1_epi8(1));
    });
    return b;
  }
  /// Four bits of a column from the k 4 * i on, to where they are in a step.
  static void put(uint8_t* step, int i, int column, uint32_t bits) {
    step[8 * i + column / 2] |= static_cast<uint8_t>(bits << column % 2 * 4);
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<ByteDots<Signs>, Simd>("gemm_u8b1_10x32x16_avx512", Tier::avx512, avx512_prepare, avx512_epilogue, 3)};

}  // namespace

KernelTable avx512_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
