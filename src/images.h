// Images as a convolution reads them: in place, or copied to scratch with their padding, as the kernel's elements, and group by
// group of channels.
#pragma once

#include "narrow/conv.h"
#include "src/driver.h"

namespace narrow {

/// Of any size: products of two stay far from overflow. Of an image's elements, with its padding: so do bytes of many images.
inline constexpr std::int64_t size_limit = std::int64_t{1} << 30, image_limit = std::int64_t{1} << 38;

/// Sizes, strides, dilations and paddings of a convolution, by themselves.
Status check_geometry(const ConvDesc& desc) noexcept;

/// Of a convolution's images as it reads them. `image` holds the channels of one group where they are copied, else of all.
struct ImageLayout {
  bool copied;                     ///< padded, or not stored as the kernel reads them
  std::int64_t channels;           ///< elements of a pixel in one group, padded as the filters are
  std::int64_t group;              ///< channels in it
  std::int64_t pixel, row, image;  ///< bytes from one to the next
  std::int64_t next_group;         ///< bytes from the channels of a group to those of the next, in the first pixel
};

/// `a_stride` is that of the images, `images` how many there are together.
ImageLayout layout_of(const ConvDesc& desc, const Geometry& geometry, std::int64_t a_stride, std::int64_t images) noexcept;

/// Bytes of the copies of so many images; 0 where they are read in place.
std::int64_t copy_bytes(const ConvDesc& desc, const Geometry& geometry, std::int64_t images) noexcept;

/// Copies `images` images.
void copy_images(const ConvDesc& desc, const Product& product, const ImageLayout& layout, const ConvArgs& args,
                 std::int64_t images, char* to, const Parallel& parallel) noexcept;

inline bool padded(const ConvDesc& d) { return d.pad_top || d.pad_left || d.pad_bottom || d.pad_right; }

/// Rows of bits of `columns` columns each, [groups][pixels], dense, as rows of groups * columns bits.
void join_bits(const char* from, std::int64_t groups, std::int64_t columns, std::int64_t pixels, char* to, std::int64_t stride,
               const Parallel& parallel) noexcept;

}  // namespace narrow
