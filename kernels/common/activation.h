// The elementwise functions of the epilogues, as classes made from the spec once a tile and applied to a few vectors at a time:
// the long ones are chains of dependent operations, of which several have to be under way at once.
//
// GELU and SiLU are max(x, 0) less a bump t * tail(t), t = |x|, where tail falls from 1/2 at 0 to nothing: 1 - Phi(t) and
// 1 - sigmoid(t) = 1 / (1 + exp(t)). A polynomial for such a tail needs a high degree; one for its eighth root, which is nearly
// straight, does not, and where the tail is small its relative error hardly counts. So
//
//   tail(t) ~ ((c - t) * p(-t))^8  for t <= c, and 0 beyond
//
// No division, no exponential, and far out exactly x or 0, infinities included; NaN stays NaN. GELU takes 12 operations,
// SiLU 17. The coefficients come from docs/fit_activations.py, the accuracy is stated in docs/arithmetic.md.
#pragma once

#include <stdint.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

template <class S>
struct Identity {
  NARROW_INLINE explicit Identity(const EpilogueSpec&) {}
  template <int vectors>
  NARROW_INLINE void operator()(typename S::F (&)[vectors]) const {}
};

template <class S>
struct Relu {
  NARROW_INLINE explicit Relu(const EpilogueSpec&) {}
  template <int vectors>
  NARROW_INLINE void operator()(typename S::F (&x)[vectors]) const {
    unroll<vectors>([&](int v) NARROW_LAMBDA { x[v] = S::max(S::broadcast(0.0f), x[v]); });
  }
};

template <class S>
struct Clamp {
  typename S::F lo, hi;

  NARROW_INLINE explicit Clamp(const EpilogueSpec& spec) : lo(S::broadcast(spec.lo)), hi(S::broadcast(spec.hi)) {}
  template <int vectors>
  NARROW_INLINE void operator()(typename S::F (&x)[vectors]) const {
    unroll<vectors>([&](int v) NARROW_LAMBDA { x[v] = S::min(hi, S::max(lo, x[v])); });
  }
};

template <class S>
struct LeakyRelu {
  typename S::F slope;

  NARROW_INLINE explicit LeakyRelu(const EpilogueSpec& spec) : slope(S::broadcast(spec.slope)) {}
  template <int vectors>
  NARROW_INLINE void operator()(typename S::F (&x)[vectors]) const {
    unroll<vectors>([&](int v) NARROW_LAMBDA { x[v] = S::select_less(x[v], S::broadcast(0.0f), x[v] * slope, x[v]); });
  }
};

/// p from its highest coefficient down.
template <class S, int vectors, int terms>
NARROW_INLINE void rectify_smoothly(typename S::F (&x)[vectors], float c, const float (&p)[terms]) {
  using F = typename S::F;
  F minus_t[vectors], root[vectors];
  unroll<vectors>([&](int v) NARROW_LAMBDA {
    const F minus_magnitude = S::from_bits(S::bit_or(S::bits(x[v]), S::broadcast(INT32_MIN)));
    minus_t[v] = S::max(minus_magnitude, S::broadcast(-c));
    root[v] = S::broadcast(p[0]);
  });
  unroll<terms - 1, vectors>([&](int i, int v)
                                 NARROW_LAMBDA { root[v] = S::fma(root[v], minus_t[v], S::broadcast(p[i + 1])); });
  unroll<vectors>([&](int v) NARROW_LAMBDA { root[v] = root[v] * (S::broadcast(c) + minus_t[v]); });
  unroll<3, vectors>([&](int, int v) NARROW_LAMBDA { root[v] = root[v] * root[v]; });
  unroll<vectors>([&](int v) NARROW_LAMBDA { x[v] = S::fma(minus_t[v], root[v], S::max(S::broadcast(0.0f), x[v])); });
}

template <class S>
struct Gelu {
  NARROW_INLINE explicit Gelu(const EpilogueSpec&) {}
  template <int vectors>
  NARROW_INLINE void operator()(typename S::F (&x)[vectors]) const {
    static constexpr float p[] = {0.000191649087f, 0.000778691727f, -0.00361269852f, -0.00964146852f, 0.150329188f};
    rectify_smoothly<S>(x, 6.1f, p);
  }
};

template <class S>
struct Silu {
  NARROW_INLINE explicit Silu(const EpilogueSpec&) {}
  template <int vectors>
  NARROW_INLINE void operator()(typename S::F (&x)[vectors]) const {
    static constexpr float p[] = {1.90383098e-10f, 1.23480071e-08f, 3.05593971e-07f,  3.90161313e-06f, 2.76536412e-05f,
                                  0.000100746271f, 5.54700418e-05f, -0.000804164738f, -0.00040040008f, 0.0632423759f};
    rectify_smoothly<S>(x, 14.5f, p);
  }
};

}  // namespace
}  // namespace narrow
