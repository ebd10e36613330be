// Bits on AVX-512 with VPOPCNTDQ: VPXORD compares 32 bits of a row with 32 bits of each of 16 columns, VPOPCNTD counts those
// that differ, VPADDD adds up.
//
// Registers of the 6x64 tile: zmm0-23 counts, 4 for the panels' k-step, 1 for a broadcast of A, 1 for what differs. The three
// instructions of 24 dots are 72 on four ports, 18 cycles, with 10 loads. (Broadcasts within each VPXORD would be 24 loads of
// the 36 that there is time for, and the last tile's stores would then have to wait for the next one's loads, and these for
// them.)
#include "kernels/avx512/running.h"
#include "kernels/avx512/simd.h"
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
  static NARROW_INLINE Acc differ(Acc acc) { return acc; }
  static NARROW_INLINE Acc finish(Acc differ, const int32_t* init) {
    return _mm512_sub_epi32(_mm512_loadu_si512(init), _mm512_add_epi32(differ, differ));
  }
};

/// The same to bits: a comparison instead of two additions and a store.
template <class Isa>
struct ToBits : Isa {
  static NARROW_INLINE __mmask16 at_least(typename Isa::Acc acc, const int32_t* limit) {
    return _mm512_cmpge_epi32_mask(Isa::differ(acc), _mm512_loadu_si512(limit));
  }
};

struct OneRow;

/// Running operands (see Geometry::running), two steps at a time: five operations for what takes Bits six.
///
/// Registers of the 4x48 tile: zmm0-23 the counts of carries and the sums so far, 6 for the panels' steps, 2 for what passes
/// between the operations. The 60 of these are 15 cycles on four ports, in which there is time for 30 loads: 24 broadcasts of A
/// within each VPXORD, and 6 of B.
struct Running : RunningVectors {
  using Few = OneRow;
  struct Acc {
    __m512i carries, sum;  // the latter without its carries: one place for each k
  };
  struct B {
    __m512i middle, end;
  };
  static constexpr Geometry geometry = {.a = Type::b1,
                                        .nr = 16,
                                        .kr = 8,
                                        .k_unit = 8,
                                        .row_group = 1,
                                        .max_panels = 4,
                                        .max_rows = {12, 6, 4, 2},
                                        .running = true};
  static constexpr int step_bytes = 128, a_bytes = 8;

  static NARROW_INLINE B load_b(const char* p) { return {_mm512_loadu_si512(p), _mm512_loadu_si512(p + 64)}; }
  static NARROW_INLINE Acc zero() { return {_mm512_setzero_si512(), _mm512_setzero_si512()}; }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    __m512i carry, before;
    asm volatile(
        "vpxord %4%{1to16%}, %6, %2\n\tvmovdqa64 %1, %3\n\tvpxord %5%{1to16%}, %7, %1\n\t"
        "vpternlogd $0x5c, %1, %3, %2\n\tvpopcntd %2, %2\n\tvpaddd %2, %0, %0"
        : "+v"(acc.carries), "+v"(acc.sum), "=&v"(carry), "=&v"(before)
        : "m"(word(a, 0)), "m"(word(a, 1)), "v"(b.middle), "v"(b.end));
  }
  static NARROW_INLINE void first(Acc& acc, A a, B b) {
    asm volatile("vpxord %2%{1to16%}, %4, %0\n\tvpxord %3%{1to16%}, %5, %1\n\tvpandnd %0, %1, %0\n\tvpopcntd %0, %0"
                 : "=&v"(acc.carries), "=&v"(acc.sum)
                 : "m"(word(a, 0)), "m"(word(a, 1)), "v"(b.middle), "v"(b.end));
  }
  static NARROW_INLINE __m512i differ(Acc acc) {
    __m512i places;
    asm("vpopcntd %1, %0" : "=v"(places) : "v"(acc.sum));
    return _mm512_add_epi32(_mm512_add_epi32(acc.carries, acc.carries), places);
  }
  static NARROW_INLINE __m512i finish(Acc acc, const int32_t* init) { return Bits::finish(differ(acc), init); }
};

/// A single row goes at the pace of reading B, which on Zen 5 is 3 % faster a line of each panel at a time: here the second
/// lines are read after all first ones. (Its operations are Running's, whose text stands here again: statements of which both
/// could share some leave g++ 12 registers to copy between them, which costs a per cent of large products.)
struct OneRow : Running {
  static constexpr int most_rows = 1, stream_rows = 1;
  struct A {
    __m512i middle, end;
  };
  struct B {
    __m512i middle;
    const char* end;
  };
  static NARROW_INLINE A load_a(const char* p) { return {load_a_in_order(p), load_a_in_order(p + 4)}; }
  static NARROW_INLINE B load_b(const char* p) {
    return {load_in_order(p), p + 64};
  }
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    __m512i carry, before;
    asm volatile(
        "vpxord %4, %6, %2\n\tvmovdqa64 %1, %3\n\tvpxord %7, %5, %1\n\t"
        "vpternlogd $0x5c, %1, %3, %2\n\tvpopcntd %2, %2\n\tvpaddd %2, %0, %0"
        : "+v"(acc.carries), "+v"(acc.sum), "=&v"(carry), "=&v"(before)
        : "v"(a.middle), "v"(a.end), "v"(b.middle), "m"(line(b.end)));
  }

 private:
  static NARROW_INLINE const Line& line(const char* p) { return *reinterpret_cast<const Line*>(p); }
};

struct RunningToBits : ToBits<Running> {
  using Few = ToBits<OneRow>;
};

constexpr Kernel rows[] = {
    running_kernel<Running, Bits, Simd, RunningToBits>("gemm_b1b1_4x48x64_avx512vnni", Tier::avx512vnni, avx512_prepare,
                                                       avx512_epilogue, 2, Feature::vpopcntdq, 512, 768),
    binary_kernel<Bits, Simd, Tiles, ToBits<Bits>>("gemm_b1b1_6x64x32_avx512vnni", Tier::avx512vnni, avx512_prepare,
                                                   avx512_epilogue, 1, Feature::vpopcntdq)};

}  // namespace

KernelTable avx512vnni_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
