// Weights of bits for A of bytes on AVX2. A step of 8 columns and 16 k is 16 bytes, one for each of four columns and four k: in
// its high half, from the top bit down, are the k 0, 4, 8 and 12 after that one, and in its low half those of the column four
// further. All go to both lanes, the upper of which moves its half up; so shifts by 0 to 3 bring the bits of four k of each
// column to the top of its bytes, where they choose between -1 and +1.
// Registers of the 8x8 tile: ymm0-7 sums, 4 for a step of B, 2 for products, ones, 1 for -1 (+1 is in memory).
#include "kernels/avx2/byte_dots.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Signs : Vector256 {
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 8, .kr = 16, .k_unit = 16, .row_group = 1, .max_panels = 2, .max_rows = {8, 2}, .b_bits = 1};
  static constexpr int step_bytes = 16;

  static NARROW_INLINE ByteDotsB<Vector256> load_b(const char* p) {
    const __m256i step = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const __m256i own = _mm256_sllv_epi32(step, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
    ByteDotsB<Vector256> b;
    unroll<byte_dots>([&](int i) NARROW_LAMBDA {
      b.of[i] = _mm256_blendv_epi8(_mm256_set1_epi8(-1), _mm256_set1_epi8(1), _mm256_slli_epi16(own, i));
    });
    return b;
  }
  /// Four bits of a column from the k 4 * i on, to where they are in a step.
  static void put(uint8_t* step, int i, int column, uint32_t bits) {
    uint32_t bytes;
    memcpy(&bytes, step + 4 * (column % 4), sizeof bytes);
    bytes |= (bits * 0x204081 & 0x1010101) << (column < 4 ? 7 - i : 3 - i);  // spread to a byte each
    memcpy(step + 4 * (column % 4), &bytes, sizeof bytes);
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<ByteDots<Signs>, Simd>("gemm_u8b1_8x8x16_avx2", Tier::avx2, avx2_prepare, avx2_epilogue, 3)};

}  // namespace

KernelTable avx2_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
