// Weights of 4 bits in plain C++: the definition of every result. The second row is never dispatched to, see int8.cpp.
#include "kernels/common/gemm_kernel.h"
#include "kernels/generic/scalar.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

template <class AType, Type a_type, int nr_, int kr_, int mr_, int panels_>
struct Nibbles : Scalar<AType, a_type, nr_, kr_, mr_, panels_, kr_, 4> {
  using Base = Scalar<AType, a_type, nr_, kr_, mr_, panels_, kr_, 4>;
  static constexpr int half = kr_ / 2;
  struct B {
    char value[nr_ * kr_];
  };

  static B load_b(const char* p) {
    B b;
    for (int j = 0; j < nr_; ++j)
      for (int i = 0; i < kr_; ++i)
        b.value[j * kr_ + i] = static_cast<uint8_t>(p[j * half + i % half]) >> (i < half ? 0 : 4) & 15;
    return b;
  }
  template <int>
  static void dot(typename Base::Acc& acc, typename Base::A a, const B& b) {
    Base::template dot<0>(acc, a, b.value);
  }
};

constexpr Kernel rows[] = {
    gemm_kernel<Nibbles<int8_t, Type::s8, 8, 8, 4, 2>, Simd>("gemm_s8u4_4x16x8_generic", Tier::generic, generic_prepare,
                                                             generic_epilogue),
    gemm_kernel<Nibbles<uint8_t, Type::u8, 4, 2, 3, 1>, Simd>("gemm_u8u4_3x4x2_generic", Tier::generic, generic_prepare,
                                                              generic_epilogue, 2),
};

}  // namespace

KernelTable generic_int4_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
