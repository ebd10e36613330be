// Weights of 4 bits on AVX-512 without VNNI: as on AVX2. Registers of the 9x32 tile: zmm0-17 sums, 8 for a step of B, 2 for
// products, mask, ones.
#include "kernels/avx2/byte_dots.h"
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Nibbles : NibblePairs<Vector512> {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 16, .kr = 16, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {16, 9}, .b_bits = 4};
};

constexpr Kernel rows[] = {
    gemm_kernel<ByteDots<Nibbles>, Simd>("gemm_s8u4_9x32x16_avx512", Tier::avx512, avx512_prepare, avx512_epilogue, 2)};

}  // namespace

KernelTable avx512_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
