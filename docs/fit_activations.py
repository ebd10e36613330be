#!/usr/bin/env python3
"""Fits the polynomials of kernels/common/activation.h (needs numpy) and prints them as float literals.

GELU and SiLU are max(x, 0) - t * tail(t) with t = |x|, and tail(t) ~ ((c - t) * p(-t))^8 for 0 <= t <= c. The fit is minimax
in the error of the result, relative to max(1, t), by Lawson's iteration (weighted least squares whose weights grow where the
error is large) around Gauss-Newton steps, since the eighth power makes the problem nonlinear.
"""
import math
import sys

import numpy as np

POWER = 8


def gelu_tail(t):
    return 0.5 * math.erfc(t / math.sqrt(2.0))


def silu_tail(t):
    return 1.0 / (1.0 + math.exp(t))


def fit(tail, c, terms):
    """The largest error relative to max(1, t), and p, the highest power first."""
    nodes = 2000
    angle = (np.arange(nodes) + 0.5) * np.pi / nodes
    t = c / 2 * (1 - np.cos(angle))
    target = np.array([tail(x) for x in t])
    scale = np.maximum(t, 0.03) / np.maximum(1, t)  # the floor keeps a relative accuracy near 0
    # Chebyshev polynomials keep the least squares well conditioned.
    basis = (c - t)[:, None] * np.polynomial.chebyshev.chebvander(2 * t / c - 1, terms - 1)
    lawson = np.ones(nodes)
    root = target ** (1 / POWER)
    best = None
    for step in range(1000):
        slope = POWER * root ** (POWER - 1)
        wanted = root + (target - root**POWER) / np.maximum(slope, 1e-30)
        weight = np.sqrt(lawson) * slope * scale + 1e-13
        p, *_ = np.linalg.lstsq(basis * weight[:, None], wanted * weight, rcond=None)
        root = np.maximum(basis @ p, 1e-6)
        error = np.abs(root**POWER - target) * scale
        if best is None or error.max() < best[0]:
            best = error.max(), p
        lawson *= error / error.max() + 1e-4
        lawson /= lawson.mean()
    error, p = best
    powers = np.polynomial.Chebyshev(p, domain=[0, c]).convert(kind=np.polynomial.Polynomial)
    return error, (powers.coef * (-1.0) ** np.arange(terms))[::-1]


def main():
    for name, tail, c, terms in ("gelu", gelu_tail, 6.1, 5), ("silu", silu_tail, 14.5, 10):
        if len(sys.argv) > 1:  # try other ends: fit_activations.py 5.5 6 6.5
            for end in sys.argv[1:]:
                print(name, end, fit(tail, float(end), terms)[0])
            continue
        error, p = fit(tail, c, terms)
        print(f"{name}: c = {c}, error {error:.3g} before rounding")
        print("   ", ", ".join(f"{float(np.float32(x)):.9g}f" for x in p))


if __name__ == "__main__":
    main()
