// The scalar tiles: accumulators that are as plain as the definition of the sums asks for, and products of int8.
#pragma once

#include <string.h>

#include "src/kernel.h"

namespace narrow {
namespace {

/// What all scalar tiles have in common: operands are read where they lie.
template <Type a_type, int nr_, int kr_, int mr_, int panels_, int k_unit_, int b_bits_ = 8>
struct ScalarOperands {
  static constexpr Geometry geometry = {.a = a_type,
                                        .nr = nr_,
                                        .kr = kr_,
                                        .k_unit = k_unit_,
                                        .row_group = 1,
                                        .max_panels = panels_,
                                        .max_rows = {mr_, panels_ > 1 ? mr_ : 0, panels_ > 2 ? mr_ : 0, panels_ > 3 ? mr_ : 0},
                                        .b_bits = b_bits_};
  static constexpr int lanes = nr_, vectors = 1, step_bytes = nr_ * kr_ * b_bits_ / 8;
  static constexpr int a_bytes = kr_ * static_cast<int>(size_of(a_type)), a_steps = 1, in_flight = 1;
  static constexpr bool prefetches = false;
  using A = const char*;
  using B = const char*;

  static A load_a(const char* p) { return p; }
  static B load_b(const char* p) { return p; }
  template <class Acc>
  static void store(int32_t* p, const Acc& v) {
    memcpy(p, &v, sizeof v);
  }
  template <class Acc>
  static void store_partial(int32_t* p, const Acc& v, int count) {
    memcpy(p, &v, sizeof(int32_t) * count);
  }
};

template <class AType, Type a_type, int nr_, int kr_, int mr_, int panels_, int k_unit_ = kr_, int b_bits_ = 8>
struct Scalar : ScalarOperands<a_type, nr_, kr_, mr_, panels_, k_unit_, b_bits_> {
  struct Acc {
    uint32_t lane[nr_];  // modulo 2^32, as the registers of the other tiers
  };

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
  static void dot(Acc& acc, const char* a, const char* b) {
    for (int i = 0; i < kr_; ++i) {
      AType x;
      memcpy(&x, a + i * sizeof x, sizeof x);
      for (int j = 0; j < nr_; ++j) acc.lane[j] += static_cast<uint32_t>(x * static_cast<int8_t>(b[j * kr_ + i]));
    }
  }
};

}  // namespace
}  // namespace narrow
