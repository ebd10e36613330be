set(tier_architecture aarch64)
set(tier_flags -march=armv8-a)
# g++ 12 spills the sums of tiles if it schedules before it allocates registers; renaming them helps in-order cores.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND tier_flags -fno-schedule-insns -frename-registers)
endif()
set(tier_probe [[
#include <arm_neon.h>
int32x4_t probe(int32x4_t c, int16x8_t a) { return vpadalq_s16(c, a); }
]])
