// Weights of bits for A of bytes on AVX2: the products of int8. 16 bits go to all lanes, each of which looks at its own; where
// that is 0, the lane becomes -1, else +1. For many rows that is done once, as B is unpacked.
#include "kernels/avx2/dot.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/crossed.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct BitWeights : Dot<Vector256> {
  using Unpacked = Crossed<Vector256>;
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 8, .kr = 2, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {12, 6, 3, 2}, .b_bits = 1};
  static constexpr int step_bytes = 2;

  static NARROW_INLINE B load_b(const char* p) {
    int16_t bits;
    memcpy(&bits, p, sizeof bits);
    const B own = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, INT16_MIN);
    const B clear = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(bits), own), _mm256_setzero_si256());
    return _mm256_or_si256(clear, _mm256_set1_epi16(1));
  }
};

constexpr Kernel rows[] = {gemm_kernel<BitWeights, Simd>("gemm_s16b1_6x16x2_avx2", Tier::avx2, avx2_prepare, avx2_epilogue, 2)};

}  // namespace

KernelTable avx2_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
