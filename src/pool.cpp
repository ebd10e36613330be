#include "src/pool.h"

#include <algorithm>
#include <cstring>

#include "src/bits.h"
#include "src/claim.h"
#include "src/images.h"
#include "src/status.h"

namespace narrow {
namespace {

/// out |= from, whole words.
void merge(char* out, const char* from, std::int64_t bytes) {
  std::int64_t i = 0;
  for (; bytes - i >= 8; i += 8) {
    std::uint64_t x, y;
    std::memcpy(&x, out + i, 8);
    std::memcpy(&y, from + i, 8);
    x |= y;
    std::memcpy(out + i, &x, 8);
  }
  if (i < bytes) {
    std::uint32_t x, y;
    std::memcpy(&x, out + i, 4);
    std::memcpy(&y, from + i, 4);
    x |= y;
    std::memcpy(out + i, &x, 4);
  }
}

}  // namespace

Status check_pool(const PoolWindow& p, std::int64_t h, std::int64_t w) noexcept {
  for (std::int64_t size : {p.h, p.w, p.stride_h, p.stride_w, h, w})
    if (size < 1 || size > size_limit) return invalid("pool: sizes and strides are 1 to 2^30");
  for (std::int64_t pad : {p.pad_top, p.pad_bottom})
    if (pad < 0 || pad >= p.h) return invalid("pool: padding is negative or as high as the window");
  for (std::int64_t pad : {p.pad_left, p.pad_right})
    if (pad < 0 || pad >= p.w) return invalid("pool: padding is negative or as wide as the window");
  return {};
}

void pool_bits(const PoolWindow& p, const BitImages& d, void* out, std::int64_t out_stride, const Parallel& parallel) noexcept {
  const std::int64_t out_h = conv_output(d.h, p.h, p.stride_h, 1, p.pad_top + p.pad_bottom);
  const std::int64_t out_w = conv_output(d.w, p.w, p.stride_w, 1, p.pad_left + p.pad_right);
  const std::int64_t bytes = bit_row_bytes(d.c);
  claim(parallel, d.images * out_h, [&](int, std::int64_t i) {
    const std::int64_t top = i % out_h * p.stride_h - p.pad_top;
    const char* image = static_cast<const char*>(d.a) + i / out_h * d.h * d.w * d.a_stride;
    char* to = static_cast<char*>(out) + i * out_w * out_stride;
    for (std::int64_t x = 0; x < out_w; ++x, to += out_stride) {
      const std::int64_t left = x * p.stride_w - p.pad_left;
      std::memset(to, 0, static_cast<std::size_t>(bytes));
      for (std::int64_t r = std::max<std::int64_t>(0, top); r < std::min(d.h, top + p.h); ++r)
        for (std::int64_t s = std::max<std::int64_t>(0, left); s < std::min(d.w, left + p.w); ++s)
          merge(to, image + (r * d.w + s) * d.a_stride, bytes);
    }
  });
}

Status max_pool_bits(const PoolWindow& window, const BitImages& d, void* out, std::int64_t out_stride,
                     const Parallel& parallel) noexcept {
  if (Status s = check_pool(window, d.h, d.w); !s.ok()) return s;
  if (d.images < 0 || d.c < 1 || d.c > size_limit) return invalid("pool: images or channels out of range");
  if (d.images == 0) return {};
  if (!d.a || !out) return invalid("pool: null pointer");
  if (d.a_stride < bit_row_bytes(d.c) || out_stride < bit_row_bytes(d.c))
    return invalid("pool: a stride is shorter than a pixel");
  std::int64_t pixels;  // no fewer than of the output
  if (__builtin_mul_overflow(d.images, (d.h + window.h) * (d.w + window.w), &pixels) || out_of_reach(pixels, d.a_stride) ||
      out_of_reach(pixels, out_stride))
    return invalid("pool: images so far apart that their bytes leave 64 bits");
  pool_bits(window, d, out, out_stride, parallel);
  return {};
}

}  // namespace narrow
