// Weights with groups of k in plain C++: the definition of every result. The last row is never dispatched to, see int8.cpp.
#include "kernels/common/group_kernel.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

template <int nr, int kr_, int mr, int b_offset_>
struct Scalar {
  static constexpr Geometry geometry = {.a = Type::s8,
                                        .nr = nr,
                                        .kr = kr_,
                                        .k_unit = 8,
                                        .row_group = 1,
                                        .max_panels = 2,
                                        .max_rows = {mr, mr},
                                        .b_offset = b_offset_};
  using Acc = uint32_t;  // modulo 2^32, as the registers of the other tiers
  using A = const char*;
  static constexpr bool nibbles = b_offset_ == 0;
  static constexpr int in_flight = 1, narrow_steps = 0, halves = nibbles ? 2 : 1;
  struct B {
    uint8_t k[kr_];
  };
  using Packed = B;

  static A load_a(const char* p) { return p; }
  static Acc zero() { return 0; }
  static Acc from(int32_t x) { return static_cast<Acc>(x); }
  static int32_t to_int(Acc x) { return static_cast<int32_t>(x); }
  static Packed load_b(const char* p) {
    Packed b;
    memcpy(&b, p, kr_);
    return b;
  }
  template <int half>
  static B half_of(Packed b) {
    if constexpr (nibbles)
      for (uint8_t& x : b.k) x = half == 0 ? x & 15 : x >> 4;
    return b;
  }
  static void dot(Acc& acc, B b, A a) {
    for (int i = 0; i < kr_; ++i) acc += static_cast<Acc>(b.k[i] * static_cast<int8_t>(a[i]));
  }
};

constexpr Kernel rows[] = {
    group_kernel<Scalar<8, 4, 4, 0>, Simd>("gemm_s8u4g_4x8x4_generic", Tier::generic, Type::u4, generic_prepare,
                                           generic_epilogue),
    group_kernel<Scalar<8, 4, 4, 128>, Simd>("gemm_s8s8g_4x8x4_generic", Tier::generic, Type::s8, generic_prepare,
                                             generic_epilogue),
    group_kernel<Scalar<4, 2, 7, 0>, Simd>("gemm_s8u4g_7x4x2_generic", Tier::generic, Type::u4, generic_prepare,
                                           generic_epilogue, 4),
};

}  // namespace

KernelTable generic_group_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
