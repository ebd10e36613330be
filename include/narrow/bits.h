// Values to bits and back, and maxima of bits. Type::b1 in types.h has polarity and layout.
#pragma once

#include "narrow/isa.h"
#include "narrow/parallel.h"
#include "narrow/status.h"
#include "narrow/types.h"

namespace narrow {

/// Rows of k values, and the same as bits. Strides are in elements (bits: in bytes) and at least as long as a row.
struct BitRows {
  std::int64_t rows = 0, k = 0;
  Type type = Type::f32;  ///< of the values: f32, bf16, f16, s8, or, to pack, u8.
  std::int64_t stride = 0;
  std::int64_t bits_stride = 0;      ///< At least bit_row_bytes(k).
  const float* threshold = nullptr;  ///< To pack: 1 or k, no NaN; null: 0.
  Per threshold_per = Per::tensor;   ///< tensor, or column: one for each k (each channel of an NHWC image).
};

/// Bit = values[i,k] >= threshold, so that 0 and -0 become +1 by default, and a NaN -1. Writes whole words: zeros behind k. The
/// same bits on every tier; `cap` is for tests and comparisons. Rows are shared out over the threads.
[[nodiscard]] NARROW_API Status pack_bits(const BitRows& rows, const void* values, void* bits,
                                          const Parallel& parallel = serial(), Cap cap = {}) noexcept;
/// values[i,k] = +1 or -1. Not tuned.
[[nodiscard]] NARROW_API Status unpack_bits(const BitRows& rows, const void* bits, void* values,
                                            const Parallel& parallel = serial()) noexcept;

/// The window of a max pool. What lies around the image counts as -1, which is nothing to a maximum.
struct PoolWindow {
  std::int64_t h = 0, w = 0;  ///< Both 0: no pool.
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;  ///< Less than the window.
};

/// Images of bits, NHWC: `images` times h times w pixels, a_stride bytes apart, of c bits, and behind them zeros.
struct BitImages {
  std::int64_t images = 0, h = 0, w = 0, c = 0;
  const void* a = nullptr;
  std::int64_t a_stride = 0;
};
/// The maximum (for bits: the OR) over each window, into pixels out_stride bytes apart. There are
/// conv_output(h, window.h, stride_h, 1, pad_top + pad_bottom) rows of them, likewise columns.
[[nodiscard]] NARROW_API Status max_pool_bits(const PoolWindow& window, const BitImages& images, void* out,
                                              std::int64_t out_stride, const Parallel& parallel = serial()) noexcept;

/// Rows or columns of the output of a window that moves over an image; 0 where it does not fit. `pad` is that of both ends.
constexpr std::int64_t conv_output(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                                   std::int64_t pad) noexcept {
  const std::int64_t reach = dilation * (kernel - 1) + 1;
  return size + pad < reach ? 0 : (size + pad - reach) / stride + 1;
}

}  // namespace narrow
