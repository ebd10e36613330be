// Weights of bits for A of bytes on AVX-512 VNNI: the products of int8. 64 bits are the mask of a blend of -1 and +1, which is
// 4 instructions for 12 or more dots.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct BitWeights : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 16, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {16, 10, 8, 6}, .b_bits = 1};
  static constexpr int step_bytes = 8, in_flight = 10;

  static NARROW_INLINE B load_b(const char* p) {
    __mmask64 bits;
    memcpy(&bits, p, sizeof bits);
    return _mm512_mask_blend_epi8(bits, _mm512_set1_epi8(-1), _mm512_set1_epi8(1));
  }
  // As assembly for the reason given in int8.cpp, and in this order, because else g++ 12 loads more rows of A at once than
  // there are registers beside the two of the blend.
  static NARROW_INLINE A load_a(const char* p) { return load_a_in_order(p); }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    asm volatile("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<BitWeights, Simd>("gemm_u8b1_6x64x4_avx512vnni", Tier::avx512vnni, avx512_prepare, avx512_epilogue)};

}  // namespace

KernelTable avx512vnni_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
