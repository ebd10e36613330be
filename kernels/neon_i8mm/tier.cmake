set(tier_architecture aarch64)
set(tier_flags -march=armv8.2-a+dotprod+i8mm)
set(tier_probe [[
#include <arm_neon.h>
int32x4_t probe(int32x4_t c, uint8x16_t a, int8x16_t b) { return vusmmlaq_s32(c, a, b); }
]])
