#include "src/images.h"

#include <algorithm>
#include <cstring>

#include "src/bits.h"
#include "src/claim.h"
#include "src/status.h"

namespace narrow {

Status check_geometry(const ConvDesc& d) noexcept {
  for (std::int64_t size : {d.h, d.w, d.c, d.kernel_h, d.kernel_w, d.stride_h, d.stride_w, d.dilation_h, d.dilation_w})
    if (size < 1 || size > size_limit) return invalid("conv: sizes, strides and dilations are 1 to 2^30");
  for (std::int64_t pad : {d.pad_top, d.pad_left, d.pad_bottom, d.pad_right})
    if (pad < 0 || pad > size_limit) return invalid("conv: padding is 0 to 2^30");
  const std::int64_t padded_h = d.h + d.pad_top + d.pad_bottom, padded_w = d.w + d.pad_left + d.pad_right;
  if (padded_h > image_limit / padded_w / d.c) return invalid("conv: an image is too large with its padding");
  return {};
}

namespace {

/// Pixels of padding, of so many channels, stored in elements of the kernel.
void fill(const ConvDesc& d, const Product& p, std::int64_t channels, std::int64_t elements, char* to, std::int64_t pixels) {
  const Type a = p.kernel->geometry.a;
  const std::int64_t bytes = elements * static_cast<std::int64_t>(size_of(a));
  if (a == Type::b1) {
    std::memset(to, 0, static_cast<std::size_t>(pixels * bytes));
    if (d.padding != Padding::plus_one) return;
    for (std::int64_t x = 0; x < pixels; ++x, to += bytes) {
      std::memset(to, 0xff, static_cast<std::size_t>(channels / 8));
      if (channels % 8) to[channels / 8] = static_cast<char>((1 << channels % 8) - 1);
    }
  } else {
    std::memset(to, p.spec.a_zero_point, static_cast<std::size_t>(pixels * bytes));
  }
}

/// The pixels of a row of an image, from its first channel of a group on.
void copy_pixels(const ConvDesc& d, const Product& p, const ImageLayout& l, const char* from, std::int64_t a_stride,
                 std::int64_t first, char* out) {
  if (d.gemm.a == Type::b1 && d.groups > 1) {
    for (std::int64_t x = 0; x < d.w; ++x)
      take_bits(from + x * a_stride, bit_row_bytes(d.c), first, l.group, out + x * l.pixel);
    return;
  }
  const bool each = d.gemm.a_threshold && d.gemm.a_threshold_per == Per::column;
  PackAArgs args{};
  args.src = from + first * static_cast<std::int64_t>(size_of(d.gemm.a));
  args.src_type = d.gemm.a;
  args.stride = a_stride;
  args.rows = static_cast<int>(d.w);
  args.k = elements_of(d.gemm.a, l.group);
  args.k_padded = l.channels;
  args.threshold = each ? d.gemm.a_threshold + first : d.gemm.a_threshold;
  args.threshold_stride = each;
  args.dst = out;
  p.kernel->pack_a(args);
  if (p.kernel->geometry.a == Type::b1 || l.group == l.channels) return;
  for (std::int64_t x = 0, element = l.pixel / l.channels; x < d.w; ++x)  // channels behind the last are padding as well
    fill(d, p, 0, l.channels - l.group, out + x * l.pixel + l.group * element, 1);
}

/// One row of the copy of an image, with its padding.
void copy_row(const ConvDesc& d, const Product& p, const ImageLayout& l, const char* image, std::int64_t a_stride,
              std::int64_t y, std::int64_t first, char* out) {
  y -= d.pad_top;
  if (y < 0 || y >= d.h) return fill(d, p, l.group, l.channels, out, l.row / l.pixel);
  fill(d, p, l.group, l.channels, out, d.pad_left);
  out += d.pad_left * l.pixel;
  const auto element = static_cast<std::int64_t>(size_of(d.gemm.a));
  copy_pixels(d, p, l, image + y * d.w * a_stride * element, a_stride, first, out);
  fill(d, p, l.group, l.channels, out + d.w * l.pixel, d.pad_right);
}

}  // namespace

ImageLayout layout_of(const ConvDesc& d, const Geometry& g, std::int64_t a_stride, std::int64_t images) noexcept {
  ImageLayout l{};
  const bool bits = g.a == Type::b1;
  const auto element = static_cast<std::int64_t>(size_of(g.a));
  l.group = d.c / d.groups;
  l.copied = padded(d) || d.gemm.a != g.a || (l.group % 32 != 0 && (!bits || d.groups > 1));
  l.channels = bit_row_bytes(l.group) * (bits ? 1 : 8);
  l.pixel = (l.copied ? l.channels : a_stride) * element;
  l.row = (d.w + d.pad_left + d.pad_right) * l.pixel;
  l.image = (d.h + d.pad_top + d.pad_bottom) * l.row;
  l.next_group = l.copied ? images * l.image : elements_of(g.a, l.group) * element;
  return l;
}

std::int64_t copy_bytes(const ConvDesc& d, const Geometry& g, std::int64_t images) noexcept {
  const ImageLayout l = layout_of(d, g, 0, images);
  return l.copied ? d.groups * l.next_group : 0;
}

void copy_images(const ConvDesc& d, const Product& p, const ImageLayout& l, const ConvArgs& args, std::int64_t images, char* to,
                 const Parallel& parallel) noexcept {
  const std::int64_t rows = l.image / l.row;
  const std::int64_t image_bytes = d.h * d.w * args.a_stride * static_cast<std::int64_t>(size_of(d.gemm.a));
  claim(parallel, d.groups * images * rows, [&](int, std::int64_t i) {
    const std::int64_t image = i / rows % images, group = i / rows / images;
    copy_row(d, p, l, static_cast<const char*>(args.a) + image * image_bytes, args.a_stride, i % rows, group * l.group,
             to + i * l.row);
  });
}

void join_bits(const char* from, std::int64_t groups, std::int64_t columns, std::int64_t pixels, char* to, std::int64_t stride,
               const Parallel& parallel) noexcept {
  constexpr std::int64_t piece = 64;
  const std::int64_t row = bit_row_bytes(columns);
  claim(parallel, (pixels + piece - 1) / piece, [&](int, std::int64_t i) {
    for (std::int64_t x = i * piece; x < std::min(pixels, (i + 1) * piece); ++x) {
      std::memset(to + x * stride, 0, static_cast<std::size_t>(bit_row_bytes(groups * columns)));
      for (std::int64_t g = 0; g < groups; ++g) put_bits(from + (g * pixels + x) * row, columns, to + x * stride, g * columns);
    }
  });
}

}  // namespace narrow
