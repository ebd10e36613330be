// Weights of 4 bits on AVX2, exact over the whole range: VPMADDUBSW multiplies nibbles, as unsigned, by s8 of a row and adds
// pairs, at most 2 * 15 * 128 = 3840 in magnitude, four of which fit 16 bits (see byte_dots.h). Registers of the 9x8 tile:
// ymm0-8 sums, 4 for a step of B, 2 for products, ones.
#include "kernels/avx2/byte_dots.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Nibbles : NibblePairs<Vector256> {
  static constexpr Geometry geometry = {
      .a = Type::s8, .nr = 8, .kr = 16, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {9, 2}, .b_bits = 4};
};

constexpr Kernel rows[] = {
    gemm_kernel<ByteDots<Nibbles>, Simd>("gemm_s8u4_9x8x16_avx2", Tier::avx2, avx2_prepare, avx2_epilogue, 2)};

}  // namespace

KernelTable avx2_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
