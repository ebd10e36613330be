// Weights of bits for A of bytes on AVX-VNNI: the products of int8. 32 bits go to all lanes, and the byte that has a lane's own
// bit to each lane; where the bit is 0, the lane becomes -1, else +1.
#include "kernels/avx2/simd.h"
#include "kernels/avxvnni/dot.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct BitWeights : Dot {
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 8, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {12, 5, 4, 2}, .b_bits = 1};
  static constexpr int step_bytes = 4;

  static NARROW_INLINE B load_b(const char* p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    const B byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const B own = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
    const B set = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte), own);
    return _mm256_or_si256(_mm256_cmpeq_epi8(set, _mm256_setzero_si256()), _mm256_set1_epi8(1));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<BitWeights, Simd>("gemm_u8b1_4x24x4_avxvnni", Tier::avxvnni, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avxvnni_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
