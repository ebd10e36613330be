// Bits in plain C++: the definition, and the fallback of every machine. Two columns at a time in a 64-bit word, counted in
// parallel. The second row, of another shape, is for tests alone, as in int8.cpp.
#include "kernels/common/binary_kernel.h"
#include "kernels/generic/scalar.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

/// How many bits are set in each half of x.
inline uint64_t count_halves(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555;
  x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
  x += x >> 8;
  return (x + (x >> 16)) & 0x0000003f0000003f;
}

template <int nr_, int mr_, int panels_, int k_unit_>
struct ScalarBits : ScalarOperands<Type::b1, nr_, 4, mr_, panels_, k_unit_> {
  struct Acc {
    uint64_t pair[nr_ / 2];  ///< the counts of two columns; at most 2^31 - 1, so that the lower one never carries
  };

  static Acc zero() { return {}; }
  static Acc add(Acc a, Acc b) {
    for (int j = 0; j < nr_ / 2; ++j) a.pair[j] += b.pair[j];
    return a;
  }
  template <int>
  static void dot(Acc& acc, const char* a, const char* b) {
    uint32_t word;
    memcpy(&word, a, sizeof word);
    for (int j = 0; j < nr_ / 2; ++j) {
      uint64_t columns;
      memcpy(&columns, b + 8 * j, sizeof columns);
      acc.pair[j] += count_halves(columns ^ (word * 0x0000000100000001ull));
    }
  }
  static Acc finish(Acc differ, const int32_t* init) {
    for (int j = 0; j < nr_ / 2; ++j) {
      const uint32_t low = static_cast<uint32_t>(init[2 * j]) - 2 * static_cast<uint32_t>(differ.pair[j]);
      const uint32_t high = static_cast<uint32_t>(init[2 * j + 1]) - 2 * static_cast<uint32_t>(differ.pair[j] >> 32);
      differ.pair[j] = low | static_cast<uint64_t>(high) << 32;
    }
    return differ;
  }
};

using Main = ScalarBits<8, 4, 2, 4>;
using Odd = ScalarBits<24, 3, 2, 12>;

constexpr Kernel rows[] = {
    binary_kernel<Main, Simd, Tiles>("gemm_b1b1_4x16x32_generic", Tier::generic, generic_prepare, generic_epilogue, 1),
    binary_kernel<Odd, Simd, Tiles>("gemm_b1b1_3x48x32_generic", Tier::generic, generic_prepare, generic_epilogue, 2),
};

}  // namespace

KernelTable generic_binary_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
