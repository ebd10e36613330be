// Rows of A as bits: copied where they are bits, else compared with a threshold, 32 columns to a word (see
// include/narrow/types.h for the layout).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>

#include "kernels/common/float16.h"
#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

template <class S, class V>
NARROW_INLINE typename S::F as_float(V x) {
  if constexpr (std::is_same_v<V, typename S::I>)
    return S::to_float(x);
  else
    return x;
}

/// Up to 32 columns; `count` of them exist.
template <class S, class Source>
NARROW_INLINE uint32_t compare_word(const Source* x, const float* threshold, int threshold_stride, int count) {
  using F = typename S::F;
  uint32_t word = 0;
  for (int j = 0; j < count; j += S::width) {
    const int left = count - j < S::width ? count - j : S::width;
    const F t = threshold_stride ? S::load(threshold + j, left) : S::broadcast(*threshold);
    word |= S::mask_not_less(as_float<S>(S::load(x + j, left)), t) << j;
  }
  return count < 32 ? word & ((1u << count) - 1) : word;
}

template <class S, class Source>
void compare_rows(const PackAArgs& args) {
  using F = typename S::F;
  const float zero = 0;
  const float* threshold = args.threshold ? args.threshold : &zero;
  const bool each = args.threshold_stride != 0;
  const F common = S::broadcast(each ? zero : *threshold);
  for (int i = 0; i < args.rows; ++i) {
    const Source* x = static_cast<const Source*>(args.src) + i * args.stride;
    char* row = static_cast<char*>(args.dst) + i * args.k_padded;
    ptrdiff_t k = 0, at = 0;
    for (; args.k - k >= 32; k += 32, at += 4) {
      uint32_t word = 0;
      unroll<32 / S::width>([&](int v) NARROW_LAMBDA {
        const ptrdiff_t j = k + v * S::width;
        word |= S::mask_not_less(as_float<S>(S::load(x + j)), each ? S::load(threshold + j) : common) << v * S::width;
      });
      memcpy(row + at, &word, 4);
    }
    if (k < args.k) {
      const uint32_t word =
          compare_word<S>(x + k, threshold + (each ? k : 0), args.threshold_stride, static_cast<int>(args.k - k));
      memcpy(row + at, &word, 4);
      at += 4;
    }
    memset(row + at, 0, static_cast<size_t>(args.k_padded - at));
  }
}

inline void copy_rows(const PackAArgs& args) {
  if (args.stride == args.k && args.k == args.k_padded) {
    memcpy(args.dst, args.src, static_cast<size_t>(args.rows * args.k));
    return;
  }
  for (int i = 0; i < args.rows; ++i) {
    char* row = static_cast<char*>(args.dst) + i * args.k_padded;
    memcpy(row, static_cast<const char*>(args.src) + i * args.stride, static_cast<size_t>(args.k));
    memset(row + args.k, 0, static_cast<size_t>(args.k_padded - args.k));
  }
}

template <class S>
void pack_bits(const PackAArgs& args) {
  switch (args.src_type) {
    case Type::b1:
      return copy_rows(args);
    case Type::f32:
      return compare_rows<S, float>(args);
    case Type::bf16:
      return compare_rows<S, Bf16>(args);
    case Type::f16:
      return compare_rows<S, F16>(args);
    case Type::s8:
      return compare_rows<S, int8_t>(args);
    default:
      return compare_rows<S, uint8_t>(args);
  }
}

}  // namespace
}  // namespace narrow
