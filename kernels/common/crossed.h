// Exact sums of products of bytes at the pace of the instructions that saturate, for tiers without a dot product of bytes:
// Winograd's inner product (S. Winograd, "A New Algorithm for Inner Product", IEEE Transactions on Computers C-17, 1968),
//
//   a0 b0 + a1 b1 = (a0 + b1)(a1 + b0) - a0 a1 - b0 b1
//
// which has one product of a row with a column where there were two; the other two products are of a row, or of a column,
// alone. In registers of 16-bit values, where sums of two bytes find room, a step of 4 k of 8 columns takes two VPADDW, a
// VPMADDWD and a VPADDD, instead of two VPMADDWD and two VPADDD. That is as many instructions, but a processor that adds on
// four ports and multiplies on two keeps all four busy with it: Zen 4 comes to 32 products a cycle and 256 bits, where two
// multiplications in four come to 26 and a widening of B between them to 24. Just as many take VPMADDUBSW, VPMADDWD and VPADDD,
// the way of saturating, held up by their two multiplications. All of it modulo 2^32, so it is the very sum.
//
// There is time to do so much for each value of B only if it is widened beforehand: by `unpack`, a strip and a pass of k at a
// time, to a buffer that the caches hold; so it takes some rows to pay for that (Unpacking::from_rows). A step of a row of A,
// packed for plain dots as ever, is a0 = k 0, 1 and a1 = k 2, 3; and so it is of B:
//
//   buffer, for each panel:  | nr int32: what the sums of the column begin with, minus its b0 b1 | step | step ...
//   step:                    | c0: k 0, 1 | c1: k 0, 1 | ...  | c0: k 2, 3 | c1: k 2, 3 | ...      (int16)
#pragma once

#include "kernels/common/tile.h"

namespace narrow {
namespace {

/// Of a Vector of 16-bit operands (see kernels/avx2/dot.h), with the tallest tiles of one and of two panels that fill its
/// registers best, crossed_rows, and the rows that pay for unpacking, crossed_from_rows.
template <class Vector>
struct Crossed : Vector {
  using V = typename Vector::Acc;
  using typename Vector::Acc;
  struct A {
    V even, odd;
  };
  using B = A;
  static constexpr int from_rows = Vector::crossed_from_rows;
  static constexpr Geometry geometry = {.a = Type::s16,
                                        .nr = Vector::lanes,
                                        .kr = 4,
                                        .k_unit = 4,
                                        .row_group = 1,
                                        .max_panels = 2,
                                        .max_rows = {Vector::crossed_rows[0], Vector::crossed_rows[1]}};
  static constexpr int register_bytes = sizeof(V), step_bytes = 2 * register_bytes, a_bytes = 8, a_steps = 1;
  static constexpr int in_flight = 1, turn_steps = 4;
  static constexpr bool prefetches = false;

  static NARROW_INLINE A load_a(const char* p) { return {Vector::load_a(p), Vector::load_a(p + 4)}; }
  static NARROW_INLINE B load_b(const char* p) { return {Vector::load_in_order(p), Vector::load_in_order(p + register_bytes)}; }
  /// What sums begin with: their column's share, which is where B begins, and their row's.
  static constexpr int begin_bytes = register_bytes;
  static NARROW_INLINE Acc begin(const char* columns, const int32_t* row) {
    return Vector::add(Vector::load(columns), Vector::load_a(reinterpret_cast<const char*>(row)));
  }
  /// As assembly for the reason that Dot has; and in order, because clang, left to itself, loads B so early that it spills.
  template <int>
  static NARROW_INLINE void dot(Acc& acc, A a, B b) {
    V even, odd;
    asm volatile("vpaddw %5, %3, %1\n\tvpaddw %6, %4, %2\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0"
                 : "+v"(acc), "=&v"(even), "=&v"(odd)
                 : "v"(a.even), "v"(a.odd), "v"(b.odd), "v"(b.even));
  }
};

/// Isa is of the plain dots.
template <class Isa>
void unpack(const UnpackArgs& args) {
  using V = typename Isa::Acc;
  typedef int32_t Words __attribute__((vector_size(sizeof(V))));
  for (int p = 0; p < args.panels; ++p) {
    const char* from = static_cast<const char*>(args.b) + p * args.b_stride;
    char* to = static_cast<char*>(args.to) + p * args.to_stride;
    char* const begins = to;
    V sum = Isa::zero();
    to += sizeof(V);
    for (ptrdiff_t s = 0; s < args.steps; s += 2) {
      const V even = Isa::load_b(from), odd = Isa::load_b(from + Isa::step_bytes);
      Isa::template dot<0>(sum, even, odd);
      memcpy(to, &even, sizeof(V));
      memcpy(to + sizeof(V), &odd, sizeof(V));
      from += 2 * Isa::step_bytes;
      to += 2 * sizeof(V);
    }
    const Words begin = -(Words)sum;
    memcpy(begins, &begin, sizeof begin);
  }
}

}  // namespace
}  // namespace narrow
