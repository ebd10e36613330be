// Weights of bits for A of bytes on AVX-512 without VNNI: the products of int8. 32 bits are the mask of a blend of -1 and +1.
#include "kernels/avx2/dot.h"
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/crossed.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct BitWeights : Dot<Vector512> {
  using Unpacked = Crossed<Vector512>;
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 16, .kr = 2, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 8, 6}, .b_bits = 1};
  static constexpr int step_bytes = 4;

  static NARROW_INLINE B load_b(const char* p) {
    __mmask32 bits;
    memcpy(&bits, p, sizeof bits);
    return _mm512_mask_blend_epi16(bits, _mm512_set1_epi16(-1), _mm512_set1_epi16(1));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<BitWeights, Simd>("gemm_s16b1_6x64x2_avx512", Tier::avx512, avx512_prepare, avx512_epilogue, 2)};

}  // namespace

KernelTable avx512_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
