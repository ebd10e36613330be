// The scalar reference of a product: the definition of gemm.h and docs/arithmetic.md in plain loops, sums in int64.
#pragma once

#include "narrow/narrow.h"
#include "tests/reference_groups.h"
#include "tests/reference_quantize.h"

namespace narrow::test {

/// What bit i of the row at `bytes` bytes from p stands for.
inline std::int32_t sign(const void* p, std::int64_t bytes, std::int64_t i) {
  return static_cast<const unsigned char*>(p)[bytes + i / 8] >> (i % 8) & 1 ? 1 : -1;
}

/// Zeros from bit k to the end of the last word of each row.
inline void clear_padding(unsigned char* bits, std::int64_t rows, std::int64_t stride, std::int64_t k) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t p = k; p < 8 * bit_row_bytes(k); ++p)
      bits[i * stride + p / 8] &= static_cast<unsigned char>(~(1u << (p % 8)));
}

inline constexpr float max_float = std::numeric_limits<float>::max();

/// C of one product, in place: C is read where it is accumulated into, and only the m x n elements are written.
void reference_gemm(const GemmDesc& d, const WeightsDesc& w, const GemmArgs& args);

}  // namespace narrow::test
