set(tier_architecture x86_64)
set(tier_needs avx2)
set(tier_flags -mavx2 -mfma -mf16c -mavxvnni)
# g++ 12 fills the loops of tiles with register moves unless it schedules before it allocates registers; g++ 13 spills if it does.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND tier_flags -fschedule-insns -fsched-pressure)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/avxvnni/groups.cpp ${PROJECT_SOURCE_DIR}/kernels/avxvnni/int4.cpp
                              PROPERTIES COMPILE_OPTIONS -fno-schedule-insns)  # see avx512vnni
endif()
set(tier_probe [[
#include <immintrin.h>
__m256i probe(__m256i c, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(c, a, b); }
]])
