set(tier_architecture x86_64)
set(tier_flags -mavx2 -mfma -mf16c)
set(tier_probe [[
#include <immintrin.h>
__m256i probe(__m256i a, __m256i b) { return _mm256_madd_epi16(a, b); }
]])
