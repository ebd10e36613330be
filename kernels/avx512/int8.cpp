// int8 on AVX-512 without VNNI, exact over the whole range: both sides widened to 16 bits, VPMADDWD multiplies two of a row
// by two of each of 16 columns, VPADDD adds to the int32 sums. (VPMADDUBSW would take two bytes more a step but saturates.)
// A is widened once by pack_a, B in the loop: one VPMOVSXBW serves all rows of the tile. Many rows take crossed sums instead
// (see kernels/common/crossed.h).
#include "kernels/avx2/dot.h"
#include "kernels/avx512/simd.h"
#include "kernels/avx512/to_bytes.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/crossed.h"
#include "kernels/common/gemm_kernel.h"

namespace narrow {
namespace {

struct Vector : Vector512 {
  template <int panels>
  using ToBytes = RowToBytes<panels>;
};

struct Int8 : Dot<Vector> {
  using Unpacked = Crossed<Vector>;
  static constexpr Geometry geometry = {
      .a = Type::s16, .nr = 16, .kr = 2, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 8, 6}};
  static constexpr int step_bytes = 32;

  static NARROW_INLINE B load_b(const char* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Int8, Simd>("gemm_s16s8_6x64x2_avx512", Tier::avx512, avx512_prepare, avx512_epilogue, 2)};

}  // namespace

KernelTable avx512_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
