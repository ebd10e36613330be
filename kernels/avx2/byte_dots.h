// Products of bytes on tiers without a dot product of them, where one side is so small that VPMADDUBSW, which adds the products
// of two k in 16 bits, does not saturate. Those of four registers still fit 16 bits together, so that a step of 16 k takes four
// VPMADDUBSW and three VPADDW before VPMADDWD with ones makes int32 of the pairs: nine instructions for what would be twelve
// with a widening of its own for every 4 k, and as many as sixteen with operands widened to 16 bits.
//
// Operands are a Vector of 32 or 64 bytes (see kernels/avx2/vector.h), with a geometry in which kr is 16, and a load_b that
// makes ByteDotsB of a step: first the k 0..3 of as many columns as there are lanes, then their k 4..7, and so on.
//
// All is volatile assembly: of intrinsics, and of assembly that may be moved, g++ 12 loads more of A at once than there are
// registers.
#pragma once

#include <stdint.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

inline constexpr int byte_dots = 4;

template <class Vector>
struct ByteDotsB {
  typename Vector::Acc of[byte_dots];
};

/// Such a step of nibbles (see src/kernel.h).
template <class Vector>
struct NibblePairs : Vector {
  static constexpr int step_bytes = byte_dots / 2 * static_cast<int>(sizeof(typename Vector::B));

  static NARROW_INLINE ByteDotsB<Vector> load_b(const char* p) {
    // In order, or g++ 12 loads each of them for both of its halves.
    const auto first = Vector::load_in_order(p), second = Vector::load_in_order(p + step_bytes / 2);
    return {{Vector::template nibbles<0>(first), Vector::template nibbles<1>(first), Vector::template nibbles<0>(second),
             Vector::template nibbles<1>(second)}};
  }
};

template <class Operands>
struct ByteDots : Operands {
  using V = typename Operands::Acc;
  using A = const char*;  // read four bytes at a time
  using B = decltype(Operands::load_b(nullptr));
  static constexpr int a_bytes = 4 * byte_dots, a_steps = 1, in_flight = 4;
  static_assert(Operands::geometry.kr == a_bytes);

  static NARROW_INLINE A load_a(const char* p) { return p; }
  template <int>
  static NARROW_INLINE void dot(V& acc, A a, const B& b) {
    asm("" : "+r"(a));  // or g++ keeps an address for each four bytes of each row, most of them on the stack
    V sum = multiply(a, b.of[0]);
    unroll<byte_dots - 1>([&](int i) NARROW_LAMBDA {
      const V pairs = multiply(a + 4 * (i + 1), b.of[i + 1]);
      asm volatile("vpaddw %1, %0, %0" : "+v"(sum) : "v"(pairs));
    });
    asm volatile("vpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0" : "+v"(acc), "+v"(sum) : "v"(Operands::ones_of_16_bits()));
  }

 private:
  /// Of which one side is unsigned.
  static NARROW_INLINE V multiply(const char* a, V b) {
    typedef int32_t Four __attribute__((may_alias, aligned(1)));
    const Four& four = *reinterpret_cast<const Four*>(a);
    V pairs;
    if constexpr (Operands::geometry.a == Type::u8)
      asm volatile("vpbroadcastd %1, %0\n\tvpmaddubsw %2, %0, %0" : "=&v"(pairs) : "m"(four), "v"(b));
    else
      asm volatile("vpbroadcastd %1, %0\n\tvpmaddubsw %0, %2, %0" : "=&v"(pairs) : "m"(four), "v"(b));
    return pairs;
  }
};

}  // namespace
}  // namespace narrow
