// The elementwise functions of the epilogues, as classes made from the spec once a tile and applied to vectors.
//
// GELU and SiLU are max(x, 0) less a bump t * tail(t), t = |x|, where tail falls from 1/2 at 0 to nothing: 1 - Phi(t) and
// 1 - sigmoid(t) = 1 / (1 + exp(t)). A polynomial for such a tail needs a high degree; one for its eighth root, which is nearly
// straight, does not, and where the tail is small its relative error hardly counts. So
//
//   tail(t) ~ ((c - t) * p(-t))^8  for t <= c, and 0 beyond
//
// No division, no exponential, and far out exactly x or 0, infinities included; NaN stays NaN. GELU takes 12 operations, SiLU 17.
// The coefficients come from docs/fit_activations.py, the accuracy is stated in docs/arithmetic.md.
#pragma once

#include <stdint.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

template <class S>
struct Identity {
  NARROW_INLINE explicit Identity(const EpilogueSpec&) {}
  NARROW_INLINE typename S::F operator()(typename S::F x) const { return x; }
};

template <class S>
struct Relu {
  NARROW_INLINE explicit Relu(const EpilogueSpec&) {}
  NARROW_INLINE typename S::F operator()(typename S::F x) const { return S::max(S::broadcast(0.0f), x); }
};

template <class S>
struct Clamp {
  typename S::F lo, hi;

  NARROW_INLINE explicit Clamp(const EpilogueSpec& spec) : lo(S::broadcast(spec.lo)), hi(S::broadcast(spec.hi)) {}
  NARROW_INLINE typename S::F operator()(typename S::F x) const { return S::min(hi, S::max(lo, x)); }
};

template <class S>
struct LeakyRelu {
  typename S::F slope;

  NARROW_INLINE explicit LeakyRelu(const EpilogueSpec& spec) : slope(S::broadcast(spec.slope)) {}
  NARROW_INLINE typename S::F operator()(typename S::F x) const {
    return S::select_less(x, S::broadcast(0.0f), x * slope, x);
  }
};

/// p from its highest coefficient down.
template <class S, int terms>
NARROW_INLINE typename S::F rectify_smoothly(typename S::F x, float c, const float (&p)[terms]) {
  using F = typename S::F;
  const F minus_magnitude = S::from_bits(S::bit_or(S::bits(x), S::broadcast(INT32_MIN)));
  const F minus_t = S::max(minus_magnitude, S::broadcast(-c));
  F root = S::broadcast(p[0]);
  unroll<terms - 1>([&](auto i) NARROW_LAMBDA { root = S::fma(root, minus_t, S::broadcast(p[i + 1])); });
  root = root * (S::broadcast(c) + minus_t);
  const F root2 = root * root, root4 = root2 * root2, tail = root4 * root4;
  return S::fma(minus_t, tail, S::max(S::broadcast(0.0f), x));
}

template <class S>
struct Gelu {
  NARROW_INLINE explicit Gelu(const EpilogueSpec&) {}
  NARROW_INLINE typename S::F operator()(typename S::F x) const {
    static constexpr float p[] = {0.000191649087f, 0.000778691727f, -0.00361269852f, -0.00964146852f, 0.150329188f};
    return rectify_smoothly<S>(x, 6.1f, p);
  }
};

template <class S>
struct Silu {
  NARROW_INLINE explicit Silu(const EpilogueSpec&) {}
  NARROW_INLINE typename S::F operator()(typename S::F x) const {
    static constexpr float p[] = {1.90383098e-10f, 1.23480071e-08f, 3.05593971e-07f,  3.90161313e-06f, 2.76536412e-05f,
                                  0.000100746271f, 5.54700418e-05f, -0.000804164738f, -0.00040040008f, 0.0632423759f};
    return rectify_smoothly<S>(x, 14.5f, p);
  }
};

}  // namespace
}  // namespace narrow
