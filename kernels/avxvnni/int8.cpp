// int8 on AVX-VNNI: the 256-bit, VEX-encoded VPDPBUSD multiplies four u8 of a row by four s8 of each of 8 columns and adds
// them up in int32. Registers of the 4x24 tile: ymm0-11 sums, 3 for the panels' k-step, 1 for broadcasts of A.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Int8 : Vector256 {
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 8, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {12, 5, 4, 2}};
  static constexpr int step_bytes = 32, in_flight = 7;  // 8 would take two phases of 7x8, more registers than there are

  static NARROW_INLINE B load_b(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const B*>(p)); }
  static NARROW_INLINE A flip(A a) { return _mm256_xor_si256(a, _mm256_set1_epi8(-128)); }
  // Assembly with a tied operand for the reason given in avx512vnni; {vex} because the EVEX form is another tier's.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  }
};

/// Weights of bits: 32 of them go to all lanes, and the byte that has a lane's own bit to each lane; where the bit is 0, the
/// lane becomes -1, else +1.
struct BitWeights : Int8 {
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
    gemm_kernel<Int8, Simd>("gemm_u8s8_4x24x4_avxvnni", Tier::avxvnni, avx2_prepare, avx2_epilogue),
    bit_weights_kernel<BitWeights, Simd>("gemm_u8b1_4x24x4_avxvnni", Tier::avxvnni, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avxvnni_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
