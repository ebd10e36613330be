// B[k,n] -> panels (the picture stands in src/kernel.h), and the column sums that zero points of A need.
#pragma once

#include <string.h>

#include "kernels/common/unroll.h"
#include "src/kernel.h"

namespace narrow {
namespace {

/// One panel of `cols` <= nr columns. Columns beyond and k beyond are zero.
template <int nr, int kr>
void pack_panel(const PackBArgs& args, const int8_t* src, int cols, int8_t* dst, int32_t* column_sum) {
  const ptrdiff_t whole = args.k / kr, steps = args.k_padded / kr;
  const ptrdiff_t k_stride = args.order == Order::nk ? 1 : args.stride;
  const ptrdiff_t n_stride = args.order == Order::nk ? args.stride : 1;
  int32_t sum[nr] = {};

  // The body: whole steps of a whole panel, with the order a constant so that the moves become wide ones.
  auto body = [&](auto order) NARROW_LAMBDA {
    for (ptrdiff_t s = 0; s < whole; ++s) {
      int8_t* out = dst + s * nr * kr;
      if constexpr (order == 1) {
        for (int c = 0; c < nr; ++c) memcpy(out + c * kr, src + c * n_stride + s * kr, kr);
      } else {
        const int8_t* in = src + s * kr * k_stride;
        for (int c = 0; c < nr; ++c)
          for (int i = 0; i < kr; ++i) out[c * kr + i] = in[i * k_stride + c];
      }
      for (int c = 0; c < nr; ++c) {
        int32_t t = 0;
        for (int i = 0; i < kr; ++i) t += out[c * kr + i];
        sum[c] += t;
      }
    }
  };
  ptrdiff_t done = whole;
  if (cols < nr)
    done = 0;
  else if (args.order == Order::nk)
    body(std::integral_constant<int, 1>{});
  else
    body(std::integral_constant<int, 0>{});

  // The edges: a narrow last panel, a short last step, the padding.
  for (ptrdiff_t s = done; s < steps; ++s)
    for (int c = 0; c < nr; ++c)
      for (int i = 0; i < kr; ++i) {
        const ptrdiff_t k = s * kr + i;
        const int8_t value = k < args.k && c < cols ? src[k * k_stride + c * n_stride] : int8_t{0};
        dst[(s * nr + c) * kr + i] = value;
        sum[c] += value;
      }
  memcpy(column_sum, sum, sizeof(int32_t) * cols);
}

template <int nr, int kr>
void pack_b(const PackBArgs& args) {
  for (int c = 0; c < args.cols; c += nr) {
    const int cols = args.cols - c < nr ? args.cols - c : nr;
    pack_panel<nr, kr>(args, static_cast<const int8_t*>(args.src) + c * (args.order == Order::nk ? args.stride : 1), cols,
                       static_cast<int8_t*>(args.dst) + c / nr * args.dst_stride, args.column_sum + c);
  }
}

}  // namespace
}  // namespace narrow
