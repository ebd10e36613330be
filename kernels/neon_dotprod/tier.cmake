set(tier_architecture aarch64)
set(tier_flags -march=armv8.2-a+dotprod)
set(tier_probe [[
#include <arm_neon.h>
int32x4_t probe(int32x4_t c, int8x16_t a, int8x16_t b) { return vdotq_s32(c, a, b); }
]])
