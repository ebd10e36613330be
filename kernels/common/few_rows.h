// Tiles of few rows go at the pace of reading B, and what they read of A beside it holds them up. So one load of A serves four
// steps, each of which takes its quarter from a register. And B is read step by step: left to themselves, compilers gather the
// loads of several steps, which come to the cache out of order, and cost registers that there may not be.
// From the L2 cache that makes B a sixth (one row) to a quarter (two) faster on Zen 5, and nearly three times on AVX-VNNI.
#pragma once

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

/// Of an Isa whose steps take four bytes of a row, with load_four and quarter (see Vector512), and with load_in_order and
/// dot_in_order: a load_b and a dot that the compiler leaves where they stand.
template <class Isa, int rows, int streaming>
struct FewRows : Isa {
  using typename Isa::A;
  using typename Isa::Acc;
  using typename Isa::B;
  static constexpr int most_rows = rows, stream_rows = streaming, a_steps = 4, in_flight = 8;

  static NARROW_INLINE A load_a(const char* p) { return Isa::load_four(p); }
  static NARROW_INLINE A load_step(const char* p) { return Isa::load_a(p); }
  static NARROW_INLINE B load_b(const char* p) { return Isa::load_in_order(p); }
  template <int step>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    Isa::dot_in_order(acc, Isa::template quarter<step>(a), b);
  }
};

}  // namespace
}  // namespace narrow
