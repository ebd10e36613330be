// Weights of 4 bits in plain C++: the definition of every result. The second row is never dispatched to, see int8.cpp.
#include "kernels/common/int4_kernel.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

template <class AType, Type a_type, int nr_, int kr_, int mr_, int panels_>
struct Scalar {
  static constexpr Geometry geometry = {.a = a_type,
                                        .nr = nr_,
                                        .kr = kr_,
                                        .k_unit = kr_,
                                        .row_group = 1,
                                        .max_panels = panels_,
                                        .max_rows = {mr_, panels_ > 1 ? mr_ : 0},
                                        .b_bits = 4};
  static constexpr int lanes = nr_, vectors = 1, half = kr_ / 2, step_bytes = nr_ * half;
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
      for (int j = 0; j < nr_; ++j)
        acc.lane[j] += static_cast<uint32_t>(x * (static_cast<uint8_t>(b[j * half + i % half]) >> (i < half ? 0 : 4) & 15));
    }
  }
  static void store(int32_t* p, const Acc& v) { memcpy(p, &v, sizeof v); }
  static void store_partial(int32_t* p, const Acc& v, int count) { memcpy(p, &v, sizeof(int32_t) * count); }
};

constexpr Kernel rows[] = {
    int4_kernel<Scalar<int8_t, Type::s8, 8, 8, 4, 2>, Simd>("gemm_s8u4_4x16x8_generic", Tier::generic, generic_prepare,
                                                            generic_epilogue),
    int4_kernel<Scalar<uint8_t, Type::u8, 4, 2, 3, 1>, Simd>("gemm_u8u4_3x4x2_generic", Tier::generic, generic_prepare,
                                                             generic_epilogue, 2),
};

}  // namespace

KernelTable generic_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
