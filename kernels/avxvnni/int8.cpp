// int8 on AVX-VNNI: the 256-bit, VEX-encoded VPDPBUSD multiplies four u8 of a row by four s8 of each of 8 columns and adds
// them up in int32. Registers of the 4x24 tile: ymm0-11 sums, 3 for the panels' k-step, 1 for broadcasts of A.
#include "kernels/avx2/simd.h"
#include "kernels/avxvnni/dot.h"
#include "kernels/common/few_rows.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Int8 : Dot {
  using Few = FewRows<Int8, 2, 2>;
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 8, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {12, 5, 4, 2}};
  static constexpr int step_bytes = 32;

  static NARROW_INLINE B load_b(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const B*>(p)); }
  static NARROW_INLINE A flip(A a) { return _mm256_xor_si256(a, _mm256_set1_epi8(-128)); }
};

constexpr Kernel rows[] = {gemm_kernel<Int8, Simd>("gemm_u8s8_4x24x4_avxvnni", Tier::avxvnni, avx2_prepare, avx2_epilogue)};

}  // namespace

KernelTable avxvnni_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
