set(tier_architecture aarch64)
set(tier_needs neon)
set(tier_flags -march=armv8.2-a+dotprod+i8mm)
# g++ 12 spills the sums of tiles if it schedules before it allocates registers; renaming them helps in-order cores.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND tier_flags -fno-schedule-insns -frename-registers)
endif()
set(tier_probe [[
#include <arm_neon.h>
int32x4_t probe(int32x4_t c, uint8x16_t a, int8x16_t b) { return vusmmlaq_s32(c, a, b); }
]])
