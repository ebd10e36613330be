set(tier_architecture x86_64)
set(tier_flags -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mprefer-vector-width=512)
set(tier_probe [[
#include <immintrin.h>
__m512i probe(__m512i a, __m512i b) { return _mm512_madd_epi16(a, b); }
]])
