#if defined(__aarch64__)
#include "instruction_loops.h"

// As in the x86 file: each loop one block of assembly, 24 accumulators (for nibbles 12 of each width), v30 and v31 operands.

#define EACH_24(X)                                                                                                  \
  X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) \
      X(21) X(22) X(23)
#define EACH_12_PAIRS(X)                                                                                             \
  X(0, 12) X(1, 13) X(2, 14) X(3, 15) X(4, 16) X(5, 17) X(6, 18) X(7, 19) X(8, 20) X(9, 21) X(10, 22) X(11, 23)
#define ZERO(i) "movi v" #i ".4s, #0\n"
#define CLOBBER                                                                                                      \
  "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", \
      "v18", "v19", "v20", "v21", "v22", "v23", "v29", "v30", "v31"

#define LOOP(name, body)                                                                                             \
  void name(long steps) {                                                                                            \
    asm volatile(EACH_24(ZERO) ZERO(30) ZERO(31) "1:\n" body "subs %0, %0, #1\nb.ne 1b\n"                           \
                 : "+r"(steps)                                                                                       \
                 :                                                                                                   \
                 : "cc", CLOBBER);                                                                                   \
  }

// smmla and sdot v<i>.4s, v30.16b, v31.16b, as numbers so that no assembler option has to allow them
#define SMMLA(i) ".inst 0x4e9fa7c0 + " #i "\n"
#define SDOT(i) ".inst 0x4e9f97c0 + " #i "\n"
// Exact below SDOT: eight 16-bit products, then added in pairs to the accumulator.
#define SMULL(i) "smull v29.8h, v30.8b, v31.8b\nsadalp v" #i ".4s, v29.8h\n"
// Nibbles times bytes below SDOT: eight products (at most 15 * 128 each) are added up in 16 bits, pairs of such sums in 32.
#define NIBBLES_FIRST(i, sum) "smull v" #i ".8h, v30.8b, v31.8b\n"
#define NIBBLES_NEXT(i, sum) "smlal v" #i ".8h, v30.8b, v31.8b\n"
#define NIBBLES_WIDEN(i, sum) "sadalp v" #sum ".4s, v" #i ".8h\n"
#define NIBBLES_ALL                                                                                                  \
  EACH_12_PAIRS(NIBBLES_FIRST) EACH_12_PAIRS(NIBBLES_NEXT) EACH_12_PAIRS(NIBBLES_NEXT) EACH_12_PAIRS(NIBBLES_NEXT)   \
  EACH_12_PAIRS(NIBBLES_NEXT) EACH_12_PAIRS(NIBBLES_NEXT) EACH_12_PAIRS(NIBBLES_NEXT) EACH_12_PAIRS(NIBBLES_NEXT)    \
  EACH_12_PAIRS(NIBBLES_WIDEN)
#define FMLA(i) "fmla v" #i ".4s, v30.4s, v31.4s\n"

namespace bench {
namespace {

LOOP(smmla, EACH_24(SMMLA))
LOOP(sdot, EACH_24(SDOT))
LOOP(smull, EACH_24(SMULL))
LOOP(nibbles, NIBBLES_ALL)
LOOP(fmla, EACH_24(FMLA))

void read_one(const void* data, std::size_t bytes) {
  asm volatile(
      "1:\nldp q0, q1, [%0]\nldp q2, q3, [%0, #32]\nldp q4, q5, [%0, #64]\nldp q6, q7, [%0, #96]\n"
      "add %0, %0, #128\nsubs %1, %1, #128\nb.ne 1b\n"
      : "+r"(data), "+r"(bytes)
      :
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7");
}

void read_four(const void* data, std::size_t bytes) {
  std::size_t left = bytes / 4;
  const char *p = static_cast<const char*>(data), *q = p + left, *r = q + left, *s = r + left;
  asm volatile(
      "1:\nldp q0, q1, [%0], #32\nldp q2, q3, [%1], #32\nldp q4, q5, [%2], #32\nldp q6, q7, [%3], #32\n"
      "subs %4, %4, #32\nb.ne 1b\n"
      : "+r"(p), "+r"(q), "+r"(r), "+r"(s), "+r"(left)
      :
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7");
}

}  // namespace

Loop int8_loop(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::neon_i8mm: return {"smmla", 24 * 32, smmla};
    case narrow::Tier::neon_dotprod: return {"sdot", 24 * 16, sdot};
    case narrow::Tier::neon: return {"smull+sadalp", 24 * 8, smull};
    default: return {};
  }
}

Loop int4_loop(narrow::Tier tier) {
  return tier == narrow::Tier::neon ? Loop{"smlal+sadalp", 12 * 8 * 8, nibbles} : int8_loop(tier);
}

Loop binary_loop(narrow::Tier) { return {}; }

Loop f32_loop(narrow::Tier tier) {
  return tier == narrow::Tier::generic ? Loop{} : Loop{"fmla", 24 * 4, fmla};
}

ReadLoops read_loops(narrow::Tier tier) {
  return tier == narrow::Tier::generic ? ReadLoops{} : ReadLoops{read_one, read_four};
}

}  // namespace bench
#endif
