// Bits on AVX-512 with VPOPCNTDQ: VPXORD compares 32 bits of a row with 32 bits of each of 16 columns, VPOPCNTD counts those
// that differ, VPADDD adds up.
//
// Registers of the 6x64 tile: zmm0-23 counts, 4 for the panels' k-step, 1 for a broadcast of A, 1 for what differs. The three
// instructions of 24 dots are 72 on four ports, 18 cycles, with 10 loads. (Broadcasts within each VPXORD would be 24 loads of
// the 36 that there is time for, and the last tile's stores would then have to wait for the next one's loads, and these for
// them.)
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/binary_kernel.h"

namespace narrow {
namespace {

struct Bits : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 16, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 8, 6}};
  static constexpr int step_bytes = 64, in_flight = 4;
  static constexpr bool prefetches = false;  // B is small

  static NARROW_INLINE B load_b(const char* p) { return _mm512_loadu_si512(p); }
  // As assembly, because g++ 12 copies and spills the accumulators of the intrinsics, and in this order, because else it loads
  // three rows of A at once, for which there are no registers. That also leaves VPOPCNTDQ out of the tier's flags: nothing but
  // this row, which the registry passes over where the processor lacks it, may use it.
  static NARROW_INLINE A load_a(const char* p) { return load_a_in_order(p); }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Acc differ;
    asm volatile("vpxord %2, %3, %1\n\tvpopcntd %1, %1\n\tvpaddd %1, %0, %0" : "+v"(acc), "=&v"(differ) : "v"(a), "v"(b));
  }
  static NARROW_INLINE void first(Acc& acc, A a, B b) {
    asm volatile("vpxord %1, %2, %0\n\tvpopcntd %0, %0" : "=&v"(acc) : "v"(a), "v"(b));
  }
  static NARROW_INLINE Acc finish(Acc differ, const int32_t* init) {
    return _mm512_sub_epi32(_mm512_loadu_si512(init), _mm512_add_epi32(differ, differ));
  }
};

/// The same to bits: a comparison instead of two additions and a store.
struct ToBits : Bits {
  static NARROW_INLINE __mmask16 at_least(Acc differ, const int32_t* limit) {
    return _mm512_cmpge_epi32_mask(differ, _mm512_loadu_si512(limit));
  }
};

constexpr Kernel rows[] = {binary_kernel<Bits, Simd, Tiles, ToBits>("gemm_b1b1_6x64x32_avx512vnni", Tier::avx512vnni,
                                                                    avx512_prepare, avx512_epilogue, 1, Feature::vpopcntdq)};

}  // namespace

KernelTable avx512vnni_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
