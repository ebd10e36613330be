// int8 in plain C++: the definition of every result, and the fallback of every machine. The same tile template as the vector
// tiers, over scalars. The further rows with odd tile shapes are never dispatched to: tests run them through the driver, so
// that no blocking or packing code can rely on what all real tiles have in common.
#include "kernels/common/gemm_kernel.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

template <class AType, Type a_type, int nr_, int kr_, int mr_, int panels_, int k_unit_ = kr_>
struct Scalar {
  static constexpr Geometry geometry = {.a = a_type,
                                        .nr = nr_,
                                        .kr = kr_,
                                        .k_unit = k_unit_,
                                        .row_group = 1,
                                        .max_panels = panels_,
                                        .max_rows = {mr_, panels_ > 1 ? mr_ : 0, panels_ > 2 ? mr_ : 0, panels_ > 3 ? mr_ : 0}};
  static constexpr int lanes = nr_, vectors = 1, step_bytes = nr_ * kr_;
  static constexpr int a_bytes = kr_ * static_cast<int>(sizeof(AType)), a_steps = 1, in_flight = 1;
  static constexpr bool prefetches = false;
  struct Acc {
    uint32_t lane[nr_];  // modulo 2^32, as the registers of the other tiers
  };
  using A = const char*;
  using B = const char*;

  static A load_a(const char* p) { return p; }
  static B load_b(const char* p) { return p; }
  static Acc zero() { return {}; }
  static Acc add(Acc a, Acc b) {
    for (int j = 0; j < nr_; ++j) a.lane[j] += b.lane[j];
    return a;
  }
  static Acc finish(Acc sum, const int32_t* init) {
    for (int j = 0; j < nr_; ++j) sum.lane[j] += static_cast<uint32_t>(init[j]);
    return sum;
  }
  template <int>
  static void dot(Acc& acc, A a, B b) {
    for (int i = 0; i < kr_; ++i) {
      AType x;
      memcpy(&x, a + i * sizeof x, sizeof x);
      for (int j = 0; j < nr_; ++j) acc.lane[j] += static_cast<uint32_t>(x * static_cast<int8_t>(b[j * kr_ + i]));
    }
  }
  static void store(int32_t* p, const Acc& v) { memcpy(p, &v, sizeof v); }
  static void store_partial(int32_t* p, const Acc& v, int count) { memcpy(p, &v, sizeof(int32_t) * count); }
};

/// Weights of bits for A of bytes.
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
    gemm_kernel<Scalar<uint8_t, Type::u8, 4, 4, 4, 2>, Simd>("gemm_u8s8_4x8x4_generic", Tier::generic, generic_prepare,
                                                             generic_epilogue, 1),
    gemm_kernel<Scalar<int8_t, Type::s8, 5, 3, 3, 3, 9>, Simd>("gemm_s8s8_3x15x3_generic", Tier::generic, generic_prepare,
                                                               generic_epilogue, 2),
    gemm_kernel<Scalar<int16_t, Type::s16, 3, 1, 7, 1>, Simd>("gemm_s16s8_7x3x1_generic", Tier::generic, generic_prepare,
                                                              generic_epilogue, 3),
    bit_weights_kernel<BitWeights, Simd>("gemm_u8b1_4x16x4_generic", Tier::generic, generic_prepare, generic_epilogue),
};

}  // namespace

KernelTable generic_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
