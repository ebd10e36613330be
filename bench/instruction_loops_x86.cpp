#if defined(__x86_64__)
#include "instruction_loops.h"

// Every loop is one block of assembly: a compiler that spilled an accumulator or waited for a load would be
// measuring itself. Accumulators are enough to cover latency times throughput (5 cycles times 2 a cycle at most); they
// start at zero so that no float loop meets a denormal.

#define EACH_7(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6)
#define EACH_14(X) EACH_7(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13)
#define EACH_24(X) EACH_14(X) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
#define CLOBBER_16                                                                                                     \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "xmm14", "xmm15"
#define CLOBBER_32                                                                                                     \
  CLOBBER_16, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26",      \
      "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

#define LOOP(name, features, zero, body, clobber)                                                                \
  __attribute__((target(features), noinline)) void name(long steps) {                                            \
    asm volatile(zero "1:\n" body "dec %0\njnz 1b\nvzeroupper\n" : "+r"(steps) : : "cc", clobber);                \
  }

#define ZERO_YMM(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n"
#define ZERO_ALL_YMM EACH_14(ZERO_YMM) ZERO_YMM(14) ZERO_YMM(15)
#define ZERO_ZMM(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n"
#define ZERO_ALL_ZMM EACH_24(ZERO_ZMM) ZERO_ZMM(30) ZERO_ZMM(31)

#define DPBUSD_ZMM(i) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #i "\n"
#define DPBUSD_YMM(i) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #i "\n"
#define FMA_ZMM(i) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #i "\n"
#define FMA_YMM(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n"
// The exact product below VNNI (see kernels/common/crossed.h): 16-bit pairs of a row and a column added, crosswise; their sums
// multiplied and added; these added to the accumulator.
#define CROSS_EVEN(r, i, t, u) "vpaddw %%" r "15, %%" r "15, %%" r #t "\n"
#define CROSS_ODD(r, i, t, u) "vpaddw %%" r "15, %%" r "15, %%" r #u "\n"
#define CROSS_MUL(r, i, t, u) "vpmaddwd %%" r #t ", %%" r #u ", %%" r #t "\n"
#define CROSS_ADD(r, i, t, u) "vpaddd %%" r #t ", %%" r #i ", %%" r #i "\n"
#define EACH_5_TRIPLES(X, r) X(r, 0, 5, 10) X(r, 1, 6, 11) X(r, 2, 7, 12) X(r, 3, 8, 13) X(r, 4, 9, 14)
#define CROSS_ALL(r) \
  EACH_5_TRIPLES(CROSS_EVEN, r) EACH_5_TRIPLES(CROSS_ODD, r) EACH_5_TRIPLES(CROSS_MUL, r) EACH_5_TRIPLES(CROSS_ADD, r)
// Nibbles times bytes below VNNI: pairs of products are added up in 16 bits, which hold eight of them (at most 2 * 15 * 128
// each); then pairs of these sums go into 32 bits. The first of the eight needs no addition. In sixes, because processors whose
// additions and multiplications share ports get most done so.
#define NIBBLES_FIRST(r, i, t) "vpmaddubsw %%" r "14, %%" r "15, %%" r #i "\n"
#define NIBBLES_MUL(r, i, t) "vpmaddubsw %%" r "14, %%" r "15, %%" r #t "\n"
#define NIBBLES_ADD(r, i, t) "vpaddw %%" r #t ", %%" r #i ", %%" r #i "\n"
#define NIBBLES_WIDEN(r, i, t) "vpmaddwd %%" r "13, %%" r #i ", %%" r #t "\n"
#define NIBBLES_TOTAL(r, i, t) "vpaddd %%" r #t ", %%" r "12, %%" r "12\n"
#define EACH_6_PAIRS(X, r) X(r, 0, 6) X(r, 1, 7) X(r, 2, 8) X(r, 3, 9) X(r, 4, 10) X(r, 5, 11)
#define NIBBLES_STEP(r) EACH_6_PAIRS(NIBBLES_MUL, r) EACH_6_PAIRS(NIBBLES_ADD, r)
#define NIBBLES_ALL(r)                                                                                                    \
  EACH_6_PAIRS(NIBBLES_FIRST, r)                                                                                          \
  NIBBLES_STEP(r) NIBBLES_STEP(r) NIBBLES_STEP(r) NIBBLES_STEP(r) NIBBLES_STEP(r) NIBBLES_STEP(r) NIBBLES_STEP(r)         \
  EACH_6_PAIRS(NIBBLES_WIDEN, r) EACH_6_PAIRS(NIBBLES_TOTAL, r)
// Bits: what differs in 16 columns times 32 bits is counted and added. Or four bits of a byte of each column are looked up, for
// two rows at once (see kernels/common/lookup_tile.h): eight such lookups, of which up to three are added up, then added to the
// counts of both rows and, shifted and masked, to those of the second.
#define COUNT(r, a, b, i, t) \
  "vpxord %%" r a ", %%" r b ", %%" r #t "\n vpopcntd %%" r #t ", %%" r #t "\n vpaddd %%" r #t ", %%" r #i ", %%" r #i "\n"
#define LOOKUP_FIRST(r, f, t, x, y) "vpshufb %%" r "15, %%" r "14, %%" r #f "\n"
#define LOOKUP(r, f, t, x, y) "vpshufb %%" r "15, %%" r "14, %%" r #t "\n"
#define LOOKUP_ADD(r, f, t, x, y) "vpaddb %%" r #t ", %%" r #f ", %%" r #f "\n"
#define LOOKUP_BOTH(r, f, t, x, y) "vpaddb %%" r #f ", %%" r #x ", %%" r #x "\n"
#define LOOKUP_SHIFT(r, f, t, x, y) "vpsrlw $4, %%" r #f ", %%" r #f "\n"
#define LOOKUP_SECOND(r, f, t, x, y) "vpaddb %%" r #f ", %%" r #y ", %%" r #y "\n"
#define EACH_3_FOURS(X, r) X(r, 0, 3, 6, 9) X(r, 1, 4, 7, 10) X(r, 2, 5, 8, 11)
#define LOOKUP_ONE(r) EACH_3_FOURS(LOOKUP, r) EACH_3_FOURS(LOOKUP_ADD, r)
#define LOOKUP_TAKE(r, mask) \
  EACH_3_FOURS(LOOKUP_BOTH, r) EACH_3_FOURS(LOOKUP_SHIFT, r) EACH_3_FOURS(mask, r) EACH_3_FOURS(LOOKUP_SECOND, r)
#define LOOKUP_TWO(r, mask) EACH_3_FOURS(LOOKUP_FIRST, r) LOOKUP_ONE(r) LOOKUP_TAKE(r, mask)
#define LOOKUP_THREE(r, mask) EACH_3_FOURS(LOOKUP_FIRST, r) LOOKUP_ONE(r) LOOKUP_ONE(r) LOOKUP_TAKE(r, mask)
#define LOOKUP_ALL(r, mask) LOOKUP_THREE(r, mask) LOOKUP_THREE(r, mask) LOOKUP_TWO(r, mask)
#define LOOKUP_MASK_YMM(r, f, t, x, y) "vpand %%ymm13, %%ymm" #f ", %%ymm" #f "\n"
#define LOOKUP_MASK_ZMM(r, f, t, x, y) "vpandd %%zmm13, %%zmm" #f ", %%zmm" #f "\n"
#define EACH_7_PAIRS(X, r, a, b) \
  X(r, a, b, 0, 7) X(r, a, b, 1, 8) X(r, a, b, 2, 9) X(r, a, b, 3, 10) X(r, a, b, 4, 11) X(r, a, b, 5, 12) X(r, a, b, 6, 13)

namespace bench {
namespace {

LOOP(dpbusd_zmm, "avx512f,avx512vnni", ZERO_ALL_ZMM, EACH_24(DPBUSD_ZMM), CLOBBER_32)
LOOP(dpbusd_ymm, "avx2,avxvnni", ZERO_ALL_YMM, EACH_14(DPBUSD_YMM), CLOBBER_16)
LOOP(crossed_zmm, "avx512f,avx512bw", ZERO_ALL_ZMM, CROSS_ALL("zmm"), CLOBBER_32)
LOOP(crossed_ymm, "avx2", ZERO_ALL_YMM, CROSS_ALL("ymm"), CLOBBER_16)
LOOP(nibbles_zmm, "avx512f,avx512bw", ZERO_ALL_ZMM, NIBBLES_ALL("zmm"), CLOBBER_32)
LOOP(nibbles_ymm, "avx2", ZERO_ALL_YMM, NIBBLES_ALL("ymm"), CLOBBER_16)
LOOP(count_zmm, "avx512f", ZERO_ALL_ZMM, EACH_7_PAIRS(COUNT, "zmm", "30", "31"), CLOBBER_32)
LOOP(lookup_zmm, "avx512f,avx512bw", ZERO_ALL_ZMM, LOOKUP_ALL("zmm", LOOKUP_MASK_ZMM), CLOBBER_32)
LOOP(lookup_ymm, "avx2", ZERO_ALL_YMM, LOOKUP_ALL("ymm", LOOKUP_MASK_YMM), CLOBBER_16)
LOOP(fma_zmm, "avx512f", ZERO_ALL_ZMM, EACH_24(FMA_ZMM), CLOBBER_32)
LOOP(fma_ymm, "avx2,fma", ZERO_ALL_YMM, EACH_14(FMA_YMM), CLOBBER_16)

#define LOAD_ZMM(at, p, r) "vmovdqu64 " #at "*64(" p "), %%zmm" #r "\n"
#define LOAD_YMM(at, p, r) "vmovdqu " #at "*32(" p "), %%ymm" #r "\n"

#define READ_ONE(name, features, load, bytes_of_8)                                                                    \
  __attribute__((target(features), noinline)) void name(const void* data, std::size_t bytes) {                        \
    asm volatile("1:\n" load(0, "%0", 0) load(1, "%0", 1) load(2, "%0", 2) load(3, "%0", 3) load(4, "%0", 4)          \
                     load(5, "%0", 5) load(6, "%0", 6) load(7, "%0", 7) "add $" #bytes_of_8 ", %0\nsub $" #bytes_of_8 \
                 ", %1\njnz 1b\nvzeroupper\n"                                                                         \
                 : "+r"(data), "+r"(bytes)                                                                            \
                 :                                                                                                    \
                 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");                   \
  }
#define READ_FOUR(name, features, load, bytes_of_2)                                                                   \
  __attribute__((target(features), noinline)) void name(const void* data, std::size_t bytes) {                        \
    const std::size_t quarter = bytes / 4;                                                                            \
    const char *p = static_cast<const char*>(data), *q = p + quarter, *r = q + quarter, *s = r + quarter;             \
    std::size_t left = quarter;                                                                                       \
    asm volatile("1:\n" load(0, "%0", 0) load(1, "%0", 1) load(0, "%1", 2) load(1, "%1", 3) load(0, "%2", 4)          \
                     load(1, "%2", 5) load(0, "%3", 6) load(1, "%3", 7) "add $" #bytes_of_2 ", %0\nadd $" #bytes_of_2 \
                 ", %1\nadd $" #bytes_of_2 ", %2\nadd $" #bytes_of_2 ", %3\nsub $" #bytes_of_2                        \
                 ", %4\njnz 1b\nvzeroupper\n"                                                                         \
                 : "+r"(p), "+r"(q), "+r"(r), "+r"(s), "+r"(left)                                                     \
                 :                                                                                                    \
                 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");                   \
  }

READ_ONE(read_one_zmm, "avx512f", LOAD_ZMM, 512)
READ_ONE(read_one_ymm, "avx2", LOAD_YMM, 256)
READ_FOUR(read_four_zmm, "avx512f", LOAD_ZMM, 128)
READ_FOUR(read_four_ymm, "avx2", LOAD_YMM, 64)

}  // namespace

Loop int8_loop(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::avx512vnni: return {"vpdpbusd zmm", 24 * 64, dpbusd_zmm};
    case narrow::Tier::avx512: return {"vpaddw+vpmaddwd+vpaddd zmm", 5 * 64, crossed_zmm};
    case narrow::Tier::avxvnni: return {"vpdpbusd ymm", 14 * 32, dpbusd_ymm};
    case narrow::Tier::avx2: return {"vpaddw+vpmaddwd+vpaddd ymm", 5 * 32, crossed_ymm};
    default: return {};
  }
}

Loop int4_loop(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::avx512: return {"vpmaddubsw+vpaddw zmm", 6 * 8 * 64, nibbles_zmm};
    case narrow::Tier::avx2: return {"vpmaddubsw+vpaddw ymm", 6 * 8 * 32, nibbles_ymm};
    default: return int8_loop(tier);
  }
}

Loop binary_loop(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::avx512vnni:
      if (__builtin_cpu_supports("avx512vpopcntdq")) return {"vpxord+vpopcntd+vpaddd", 7 * 512, count_zmm};
      [[fallthrough]];
    case narrow::Tier::avx512: return {"vpshufb+vpaddb zmm", 3 * 8 * 512, lookup_zmm};
    case narrow::Tier::avxvnni:
    case narrow::Tier::avx2: return {"vpshufb+vpaddb ymm", 3 * 8 * 256, lookup_ymm};
    default: return {};
  }
}

Loop f32_loop(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::avx512vnni:
    case narrow::Tier::avx512: return {"vfmadd231ps zmm", 24 * 16, fma_zmm};
    case narrow::Tier::avxvnni:
    case narrow::Tier::avx2: return {"vfmadd231ps ymm", 14 * 8, fma_ymm};
    default: return {};
  }
}

ReadLoops read_loops(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::avx512vnni:
    case narrow::Tier::avx512: return {read_one_zmm, read_four_zmm};
    case narrow::Tier::avxvnni:
    case narrow::Tier::avx2: return {read_one_ymm, read_four_ymm};
    default: return {};
  }
}

}  // namespace bench
#endif
