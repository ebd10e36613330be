set(tier_architecture aarch64)
set(tier_flags -march=armv8-a)
set(tier_probe [[
#include <arm_neon.h>
int32x4_t probe(int32x4_t c, int16x8_t a) { return vpadalq_s16(c, a); }
]])
