// The yardstick of published factors (XNOR-Net's 58 is one): loops over floats as a textbook has them, never a rival.
#pragma once

#include <cstdint>

namespace bench {

/// The textbook's innermost loop: a scalar dot product of two rows that are contiguous, its sum carried from step to step. As
/// floats may not be added in another order (the benchmark is built without -ffast-math), each addition waits for the one
/// before it, which takes three or four cycles a multiply-accumulate on any processor. One that is vectorized and blocked, as
/// oneDNN's in the column f32, is some forty times as fast.
inline float naive_dot(const float* a, const float* b, std::int64_t count, float sum) {
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// C[m,n] = A[m,k] B, which is given as [n,k].
inline void naive_product(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n, std::int64_t k) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) c[i * n + j] = naive_dot(a + i * k, b + j * k, k, 0.0f);
}

}  // namespace bench
