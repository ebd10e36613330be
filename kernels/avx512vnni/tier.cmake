set(tier_architecture x86_64)
set(tier_needs avx512)
set(tier_flags -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma -mf16c
    -mprefer-vector-width=512)
# g++ 12 fills the loops of tiles with register moves unless it schedules before it allocates registers.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND tier_flags -fschedule-insns -fsched-pressure)
  # Not those of nibbles, where every register is taken: it would spill some.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/avx512vnni/groups.cpp ${PROJECT_SOURCE_DIR}/kernels/avx512vnni/int4.cpp
                              PROPERTIES COMPILE_OPTIONS -fno-schedule-insns)
endif()
set(tier_probe [[
#include <immintrin.h>
__m512i probe(__m512i c, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(c, a, b); }
]])
