// int8 on AVX2, exact over the whole range: both sides widened to 16 bits, VPMADDWD multiplies two of a row by two of each
// of 8 columns, VPADDD adds to the int32 sums. (VPMADDUBSW would take two bytes more a step but saturates.)
// A is widened once by pack_a, B in the loop: one VPMOVSXBW serves all rows of the tile. Many rows take crossed sums instead
// (see kernels/common/crossed.h).
// Registers of the 6x16 tile: ymm0-11 sums, 2 for the panels' k-step, 1 broadcast of A, 1 product.
#include "kernels/avx2/dot.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vector.h"
#include "kernels/common/crossed.h"
#include "kernels/common/few_rows.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Int8 : Dot<Vector256> {
  using Few = FewRows<Int8, 1, 0>;
  using Unpacked = Crossed<Vector256>;
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 8, .kr = 2, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {12, 6, 3, 2}};
  static constexpr int step_bytes = 16;

  static NARROW_INLINE B load_b(const char* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static NARROW_INLINE B load_in_order(const char* p) {
    B b;
    asm volatile("vpmovsxbw %1, %0" : "=x"(b) : "m"(*reinterpret_cast<const __m128i_u*>(p)));
    return b;
  }
};

constexpr Kernel rows[] = {gemm_kernel<Int8, Simd>("gemm_s16s8_6x16x2_avx2", Tier::avx2, avx2_prepare, avx2_epilogue, 2)};

}  // namespace

KernelTable avx2_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
