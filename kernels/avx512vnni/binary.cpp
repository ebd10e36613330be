// Bits on AVX-512 with VPOPCNTDQ: VPXORD compares 32 bits of a row with 32 bits of each of 16 columns, VPOPCNTD counts those
// that differ, VPSUBD adds up (with the sign that saves an instruction at the end).
//
// Registers of the 6x64 tile: zmm0-23 counts, 4 for the panels' k-step, the rest for what differs. The three instructions of 24
// dots are 72 on four ports, 18 cycles, in which two load ports could do 36 loads: there is room for 24 that broadcast A, one
// within each VPXORD, and no register is spent on it.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vector.h"
#include "kernels/common/binary_kernel.h"

namespace narrow {
namespace {

struct Bits : Vector512 {
  static constexpr Geometry geometry = {
      .a = Type::b1, .nr = 16, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 4, .max_rows = {16, 12, 8, 6}};
  static constexpr int step_bytes = 64, in_flight = 4;
  static constexpr bool prefetches = false;  // B is small and the loads are not to spare
  typedef int32_t Word __attribute__((may_alias, aligned(1)));
  using A = const Word*;

  static NARROW_INLINE A load_a(const char* p) { return reinterpret_cast<A>(p); }
  static NARROW_INLINE B load_b(const char* p) { return _mm512_loadu_si512(p); }
  // As assembly, because g++ 12 copies and spills the accumulators of the intrinsics. That also leaves VPOPCNTDQ out of the
  // tier's flags: nothing but this row, which the registry passes over where the processor lacks it, may use it.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Acc differ;
    asm("vpxord %2%{1to16%}, %3, %1\n\tvpopcntd %1, %1\n\tvpsubd %1, %0, %0" : "+v"(acc), "=&v"(differ) : "m"(*a), "v"(b));
  }
  static NARROW_INLINE Acc finish(Acc minus_differ, const int32_t* init) {
    return _mm512_add_epi32(_mm512_add_epi32(minus_differ, minus_differ), _mm512_loadu_si512(init));
  }
};

/// The same to bits: half a compare instead of an addition, a doubling and a store.
struct ToBits : Bits {
  static NARROW_INLINE __mmask16 at_most(Acc minus_differ, const int32_t* limit) {
    return _mm512_cmple_epi32_mask(minus_differ, _mm512_loadu_si512(limit));
  }
};

constexpr Kernel rows[] = {binary_kernel<Bits, Simd, Tiles, ToBits>("gemm_b1b1_6x64x32_avx512vnni", Tier::avx512vnni,
                                                                    avx512_prepare, avx512_epilogue, 1, Feature::vpopcntdq)};

}  // namespace

KernelTable avx512vnni_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
