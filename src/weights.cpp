#include "src/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/bits.h"
#include "src/claim.h"
#include "src/cpu.h"
#include "src/default_floats.h"
#include "src/raw.h"
#include "src/registry.h"
#include "src/status.h"

namespace narrow {
namespace {

constexpr std::size_t line = Weights::alignment;

Status kernel_for(const WeightsDesc& d, const Kernel** kernel) {
  const bool bits = d.type == Type::b1 && d.operand == Type::b1;
  const Sums sums = d.groups.size ? Sums::groups : bits ? Sums::bits : Sums::integers;
  return find_kernel(d.cap, packed_type(d.type), sums, d.n, d.filter_groups ? 0 : d.k, kernel);
}

/// Everything that is known before packing. The description is checked.
BlobHeader header_of(const WeightsDesc& d, const Kernel& kernel) {
  BlobHeader h{};
  std::memcpy(h.magic, blob_magic, sizeof blob_magic);
  h.version = blob_version;
  h.tier = static_cast<std::uint8_t>(kernel.tier);
  h.type = static_cast<std::uint8_t>(d.type);
  h.layout = kernel.layout;
  h.nr = static_cast<std::uint16_t>(kernel.geometry.nr);
  h.for_bytes = d.type == Type::b1 && kernel.sums == Sums::integers;
  h.k = d.k;
  h.n = d.n;
  if (d.groups.size == 0) {
    const bool quantized = d.data_type != Type::none;
    const Per zero_points = quantized && d.type == Type::u4 ? Per::column
                            : quantized || !d.zero_point    ? Per::tensor
                                                            : d.zero_point_per;
    h.scale_per = static_cast<std::uint8_t>(quantized ? Per::column : d.scale ? d.scale_per : Per::tensor);
    h.zero_point_per = static_cast<std::uint8_t>(zero_points);
    h.has_zero_point = is_4bit(d.type) || (d.zero_point && !quantized);
  } else {
    const GroupFormat format = group_format(d);
    h.group_size = format.size;
    h.group_scale = static_cast<std::uint8_t>(format.scale);
    h.group_zero_points = static_cast<std::uint8_t>(format.zero_points);
  }
  h.permuted = d.permutation != nullptr;
  if (d.filter_groups > 1) h.filter_groups = static_cast<std::uint32_t>(d.filter_groups);
  h.filter_h = static_cast<std::uint32_t>(d.filter_h);
  h.filter_w = static_cast<std::uint32_t>(d.filter_w);
  h.filter_c = static_cast<std::uint32_t>(d.filter_c);
  h.panel_stride = panel_stride(h, kernel.geometry);
  h.bytes = sections_of(h).end;
  return h;
}

/// As given; what is packed for 4 bits is in terms of 0..15.
std::int32_t zero_point(const WeightsDesc& d, std::int64_t column) {
  if (d.data_type == Type::none && d.zero_point) return d.zero_point[d.zero_point_per == Per::column ? column : 0];
  return d.type == Type::u4 ? 8 : 0;
}
std::int32_t packed_zero_point(const WeightsDesc& d, std::int64_t column) {
  return zero_point(d, column) + (d.type == Type::s4 ? 8 : 0);
}

/// The largest sum over k of |b - zero_point| of any column in [begin, end). Only a long k needs the values themselves: below
/// this length no product of any types can overflow. With groups, of any group's sum.
std::int64_t sum_bound(const WeightsDesc& d, std::int64_t begin, std::int64_t end) {
  if (d.type == Type::b1) return d.k;
  if (d.groups.size != 0) return std::min(d.k, d.groups.size) * (d.type == Type::s8 ? 255 : 16);
  if (is_4bit(d.type)) {
    if (d.data_type != Type::none && d.type == Type::u4) return d.k * 15;  // any zero point may come out
    const int lowest = d.type == Type::s4 ? -8 : 0;
    std::int64_t reach = 0;
    for (std::int64_t j = begin; j < end; ++j)
      reach = std::max<std::int64_t>({reach, zero_point(d, j) - lowest, lowest + 15 - zero_point(d, j)});
    return d.k * reach;
  }
  const bool quantized = d.data_type != Type::none;
  if (d.k <= max_k(Type::u8, Type::s8, true) || quantized) return d.k * (d.zero_point && !quantized ? 255 : 128);
  const auto* data = static_cast<const std::int8_t*>(d.data);
  const std::int64_t stride = stride_of(d);
  std::int64_t bound = 0;
  for (std::int64_t j = begin; j < end; ++j) {
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < d.k; ++k)
      sum += std::abs(data[d.order == Order::nk ? j * stride + k : k * stride + j] - zero_point(d, j));
    bound = std::max(bound, sum);
  }
  return bound;
}

}  // namespace

std::int64_t max_k(Type a, Type b, bool zero_points) noexcept {
  if (a == Type::b1 && b == Type::b1) return k_limit;
  const auto reach = [&](Type t) -> std::int64_t {
    if (t == Type::b1) return 1;
    if (is_4bit(t)) return zero_points || t == Type::u4 ? 15 : 8;
    return zero_points || t == Type::u8 ? 255 : 128;
  };
  if ((a != Type::u8 && a != Type::s8 && !is_4bit(a)) || (b != Type::s8 && b != Type::b1 && !is_4bit(b))) return 0;
  const std::int64_t a_reach = reach(a), b_reach = reach(b);
  return std::min(k_limit, std::numeric_limits<std::int32_t>::max() / (a_reach * b_reach));
}

Weights WeightsAccess::view(const void* blob, const BlobHeader& h) {
  Weights w;
  w.blob_ = blob;
  w.bytes_ = h.bytes;
  w.k_ = h.k;
  w.n_ = h.n;
  w.type_ = static_cast<Type>(h.type);
  w.tier_ = static_cast<Tier>(h.tier);
  return w;
}

Status WeightsAccess::packed_size(const WeightsDesc& desc, const Kernel& kernel, std::size_t* bytes) {
  WeightsDesc d;
  if (Status s = check_weights(desc, &d); !s.ok()) return s;
  *bytes = header_of(d, kernel).bytes;
  return {};
}

Status WeightsAccess::begin(const WeightsDesc& d, const Kernel& kernel, void* buffer, std::size_t bytes, WeightsStream* out) {
  if (!buffer || reinterpret_cast<std::uintptr_t>(buffer) % line != 0)
    return invalid("weights: the buffer is null or not aligned to 64 bytes");
  const BlobHeader h = header_of(d, kernel);
  if (bytes < h.bytes) return invalid("weights: the buffer is smaller than packed_size says");
  const BlobSections s = sections_of(h);
  char* blob = static_cast<char*>(buffer);
  std::memset(blob, 0, s.panels);
  std::memcpy(blob, &h, sizeof h);
  if (d.permutation) {
    auto* const seen = reinterpret_cast<std::int32_t*>(blob + s.permutation);  // until it is known to be one
    for (std::int64_t k = 0; k < d.k; ++k)
      if (d.permutation[k] < 0 || d.permutation[k] >= d.k || seen[d.permutation[k]]++ != 0)
        return invalid("weights: an index of the permutation is outside k, or there twice");
    std::memcpy(seen, d.permutation, sizeof(std::int32_t) * static_cast<std::size_t>(d.k));
  }
  *out = WeightsStream();
  out->whole_ = d;
  out->kernel_ = &kernel;
  out->buffer_ = buffer;
  return {};
}

Status WeightsAccess::add(const WeightsDesc& d, const Parallel& parallel, WeightsStream* stream) {
  if (Status s = check_weight_values(d); !s.ok()) return s;
  const Kernel& kernel = *static_cast<const Kernel*>(stream->kernel_);
  const Geometry& g = kernel.geometry;
  char* blob = static_cast<char*>(stream->buffer_);
  BlobHeader h;
  std::memcpy(&h, blob, sizeof h);
  const BlobSections s = sections_of(h);
  const bool grouped = h.group_size != 0, quantized = d.data_type != Type::none, by_column = is_4bit(d.type) || quantized;
  const std::int64_t at = stream->columns_;  // where the block begins
  const bool later = at > 0;
  constexpr Status differs = invalid("weights: a block of other values for the tensor than the one before");
  if (d.permutation &&
      std::memcmp(blob + s.permutation, d.permutation, sizeof(std::int32_t) * static_cast<std::size_t>(d.k)) != 0)
    return invalid("weights: a block of another permutation than the whole");

  auto* sums = reinterpret_cast<std::int32_t*>(blob + s.sums) + at;
  auto* scales = reinterpret_cast<float*>(blob + s.scales) + (h.scale_per == static_cast<std::uint8_t>(Per::column) ? at : 0);
  auto* zero_points = reinterpret_cast<std::int32_t*>(blob + s.zero_points) +
                      (h.zero_point_per == static_cast<std::uint8_t>(Per::column) ? at : 0);
  static constexpr float one = 1.0f;
  const float* const given = grouped || !d.scale ? &one : d.scale;
  if (h.scale_per == static_cast<std::uint8_t>(Per::tensor) && later && *scales != *given) return differs;
  if (grouped || !quantized)  // else each column's is found when it is packed
    std::memcpy(scales, given, sizeof(float) * (h.scale_per == static_cast<std::uint8_t>(Per::column) ? d.n : 1));
  const bool per_column_zero = h.has_zero_point && h.zero_point_per == static_cast<std::uint8_t>(Per::column);
  if (h.has_zero_point && !per_column_zero && later && *zero_points != packed_zero_point(d, 0)) return differs;
  for (std::int64_t j = 0; j < (per_column_zero ? d.n : static_cast<std::int64_t>(h.has_zero_point)); ++j)
    zero_points[j] = packed_zero_point(d, j);

  // Pieces of 64 columns; from [k,n], where these are one cache line of each row and often one of each page, many times that.
  const std::int64_t panels = (d.n + g.nr - 1) / g.nr, first_panel = stream->panels_;
  const std::int64_t piece = std::max(1, (d.order == Order::nk ? 64 : 1024) / g.nr);
  const bool around_caches = static_cast<std::int64_t>(h.bytes) > l2_bytes();
  const std::int64_t stride = stride_of(d);
  const std::int64_t k = elements_of(g.a, d.k), used = panel_bytes(h, g);
  std::atomic<std::uint64_t> body{0};
  std::atomic<std::int64_t> bound{0};
  std::atomic<bool> finite{true};
  claim(parallel, (panels + piece - 1) / piece, [&](int, std::int64_t i) {
    const std::int64_t first = i * piece, last = std::min(panels, first + piece);
    const std::int64_t begin = first * g.nr, end = std::min(d.n, last * g.nr);
    const auto panel = [&](std::int64_t p) {
      return blob + s.panels + (first_panel + p) * static_cast<std::int64_t>(h.panel_stride);
    };
    bool all_finite = true;
    if (grouped || by_column) {
      for (std::int64_t p = first; p < last; ++p) {
        const std::int64_t j = p * g.nr;
        all_finite &= grouped ? pack_group_panel(d, g, j, panel(p))
                              : pack_column_panel(d, kernel, j, panel(p), sums + j, scales + j,
                                                  per_column_zero ? zero_points + j : nullptr);
      }
    } else {
      kernel.pack_b({offset(static_cast<const std::int8_t*>(d.data), d.order == Order::nk ? begin * stride : begin), d.order,
                     stride, k, padded_k(k, g), static_cast<int>(end - begin), panel(first),
                     static_cast<std::ptrdiff_t>(h.panel_stride), around_caches});
    }
    if (!all_finite) finite = false;
    std::uint64_t sum_of_hashes = 0;
    for (std::int64_t p = first; p < last; ++p) {
      const std::int64_t j = p * g.nr;
      if (!grouped && !by_column && kernel.sum_columns)
        kernel.sum_columns(panel(p), padded_k(k, g), static_cast<int>(std::min<std::int64_t>(g.nr, end - j)), sums + j);
      std::memset(panel(p) + used, 0, h.panel_stride - used);
      sum_of_hashes += panel_hash(blob, h, s, first_panel + p);
    }
    for (std::int64_t j = begin; j < end && !grouped; ++j) {
      if (d.type == Type::b1)
        sums[j] = sum_of_bits(offset(static_cast<const char*>(d.data), j * stride), d.k);
      else if (h.has_zero_point)
        sums[j] = static_cast<std::int32_t>(sums[j] - d.k * zero_points[per_column_zero ? j : 0]);  // modulo 2^32, as all sums
    }
    body.fetch_add(sum_of_hashes, std::memory_order_relaxed);
    const std::int64_t mine = sum_bound(d, begin, end);
    for (std::int64_t seen = bound.load(); seen < mine && !bound.compare_exchange_weak(seen, mine);) {
    }
  });
  if (!finite) return invalid("weights: a weight is not finite");
  stream->columns_ += d.n;
  stream->panels_ += panels;
  stream->hash_ += body.load();
  stream->bound_ = std::max(stream->bound_, bound.load());
  return {};
}

Status WeightsAccess::finish(const WeightsStream& stream, Weights* out) {
  char* blob = static_cast<char*>(stream.buffer_);
  BlobHeader h;
  std::memcpy(&h, blob, sizeof h);
  h.sum_bound = stream.bound_;
  h.body_hash = stream.hash_ + columns_hash(blob, sections_of(h));
  h.header_hash = header_hash(h);
  std::memcpy(blob, &h, sizeof h);
  if (out) *out = view(blob, h);
  return {};
}

Status WeightsAccess::pack(const WeightsDesc& desc, const Kernel& kernel, void* buffer, std::size_t bytes, Weights* out,
                           const Parallel& parallel) {
  WeightsDesc d;
  if (Status s = check_weights(desc, &d); !s.ok()) return s;
  if (Status s = check_weight_values(d); !s.ok()) return s;
  WeightsStream stream;
  if (Status s = begin(d, kernel, buffer, bytes, &stream); !s.ok()) return s;
  // A group of filters is a block of columns.
  WeightsDesc block = d;
  const std::int64_t groups = std::max<std::int64_t>(1, d.filter_groups);
  block.n = d.n / groups;
  for (std::int64_t group = 0; group < groups; ++group) {
    block.data = static_cast<const char*>(d.data) + group * block.n * stride_of(d);
    if (d.scale && d.scale_per == Per::column) block.scale = d.scale + group * block.n;
    if (Status s = add(block, parallel, &stream); !s.ok()) return s;
  }
  return finish(stream, out);
}

Status Weights::packed_size(const WeightsDesc& desc, std::size_t* bytes) noexcept {
  if (!bytes) return invalid("weights: null pointer");
  WeightsDesc d;
  if (Status s = check_weights(desc, &d); !s.ok()) return s;
  const Kernel* kernel;
  if (Status s = kernel_for(d, &kernel); !s.ok()) return s;
  return WeightsAccess::packed_size(desc, *kernel, bytes);
}

Status Weights::pack(const WeightsDesc& desc, void* buffer, std::size_t bytes, Weights* out,
                     const Parallel& parallel) noexcept {
  if (!out) return invalid("weights: null pointer");
  const DefaultFloats floats;
  WeightsDesc d;
  if (Status s = check_weights(desc, &d); !s.ok()) return s;
  const Kernel* kernel;
  if (Status s = kernel_for(d, &kernel); !s.ok()) return s;
  return WeightsAccess::pack(desc, *kernel, buffer, bytes, out, parallel);
}

Status WeightsStream::begin(const WeightsDesc& whole, void* buffer, std::size_t bytes, WeightsStream* out) noexcept {
  if (!out) return invalid("weights: null pointer");
  WeightsDesc d;
  if (Status s = check_weights(whole, &d); !s.ok()) return s;
  if (d.order != Order::nk) return {Code::unsupported, "weights: blocks of columns come in the order nk"};
  if (d.filter_groups > 1) return {Code::unsupported, "weights: groups of filters are packed as a whole"};
  const Kernel* kernel;
  if (Status s = kernel_for(d, &kernel); !s.ok()) return s;
  return WeightsAccess::begin(d, *kernel, buffer, bytes, out);
}

Status WeightsStream::add(const WeightsDesc& block, const Parallel& parallel) noexcept {
  if (!kernel_) return invalid("weights: add before begin, or after finish");
  const DefaultFloats floats;
  WeightsDesc d;
  if (Status s = check_weights(block, &d); !s.ok()) return s;
  BlobHeader h;
  std::memcpy(&h, buffer_, sizeof h);
  if (d.n > whole_.n - columns_) return invalid("weights: more columns than there are");
  if (d.n % unit != 0 && d.n != whole_.n - columns_)
    return invalid("weights: a block that is neither a multiple of 64 columns nor the last");
  WeightsDesc same = d;
  same.n = h.n;
  BlobHeader expected = header_of(same, *static_cast<const Kernel*>(kernel_));
  if (d.layout != whole_.layout || d.data_type != whole_.data_type || d.range != whole_.range || d.order != whole_.order ||
      std::memcmp(&expected, &h, sizeof h) != 0 ||
      (d.data_type == Type::none && d.groups.size == 0 && !d.scale != !whole_.scale))
    return invalid("weights: a block of another kind than the whole");
  return WeightsAccess::add(d, parallel, this);
}

Status WeightsStream::finish(Weights* out) noexcept {
  if (!out) return invalid("weights: null pointer");
  if (!kernel_) return invalid("weights: finish before begin, or for the second time");
  if (columns_ != whole_.n) return invalid("weights: columns are missing");
  const Status status = WeightsAccess::finish(*this, out);
  kernel_ = nullptr;
  return status;
}

Status Weights::open(const void* blob, std::size_t bytes, Weights* out) noexcept {
  BlobHeader h;
  if (!out) return invalid("weights: null pointer");
  if (Status s = check_blob(blob, bytes, &h); !s.ok()) return s;
  *out = WeightsAccess::view(blob, h);
  return {};
}

}  // namespace narrow
