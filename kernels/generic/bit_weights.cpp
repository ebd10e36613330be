// Weights of bits for A of bytes in plain C++: the definition, and the fallback of every machine.
#include "kernels/common/gemm_kernel.h"
#include "kernels/generic/scalar.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

struct BitWeights : Scalar<uint8_t, Type::u8, 8, 4, 4, 2> {
  static constexpr Geometry geometry = {
      .a = Type::u8, .nr = 8, .kr = 4, .k_unit = 4, .row_group = 1, .max_panels = 2, .max_rows = {4, 4}, .b_bits = 1};
  static constexpr int step_bytes = 4;
  struct B {
    char value[32];
  };

  static B load_b(const char* p) {
    B b;
    for (int i = 0; i < 32; ++i) b.value[i] = p[i / 8] >> i % 8 & 1 ? 1 : -1;
    return b;
  }
  template <int>
  static void dot(Acc& acc, A a, const B& b) {
    Scalar::dot<0>(acc, a, b.value);
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<BitWeights, Simd>("gemm_u8b1_4x16x4_generic", Tier::generic, generic_prepare, generic_epilogue)};

}  // namespace

KernelTable generic_bit_weights_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
