// The packed-weights blob, from inside. One little-endian, position-independent piece of memory:
//
//   0            BlobHeader (one cache line or two, checksummed on its own)
//   permutation  int32 [k]             only where the groups are of permuted k
//   sums         int32 [panels * nr]   sum over k of (b - zero_point); absent where there are groups of k
//   scales       float [1 or panels * nr]; a 1 where there are groups
//   zero points  int32 [1 or panels * nr], absent where all are zero, or where there are groups
//   panels       [panels][panel_stride]; see src/kernel.h; with groups, their scales and zero points are in here; those of
//                each group of filters begin with a new one
//
// Every section begins at a multiple of 64 bytes and is zero-padded. A panel's stride avoids multiples of 4096 bytes: a
// tile walks up to four panels side by side, and equal addresses modulo 4096 would fight for the same set of the L1 cache.
#pragma once

#include <algorithm>

#include "narrow/weights.h"
#include "src/bits.h"
#include "src/groups.h"

namespace narrow {

struct BlobHeader {
  char magic[8];
  std::uint32_t version;
  std::uint8_t tier, type, scale_per, zero_point_per;
  std::uint16_t layout;
  std::uint16_t nr;
  std::uint32_t has_zero_point;
  std::int64_t k, n;
  std::uint64_t panel_stride;
  std::uint64_t bytes;        ///< of the whole blob
  std::int64_t sum_bound;     ///< no column's sum over k of |b - zero_point| is larger
  std::uint64_t body_hash;    ///< of everything behind the header
  std::int64_t group_size;    ///< 0: no groups, and the two that follow are 0
  std::uint8_t group_scale, group_zero_points;
  std::uint8_t for_bytes;     ///< 1: bits whose A is bytes; else 0
  std::uint8_t permuted;      ///< 1: groups are of permuted k; else 0
  std::uint32_t filter_groups;  ///< 0: none; else the columns are those of so many groups, each with panels of its own
  std::uint64_t header_hash;  ///< of everything above
  std::uint64_t reserved[4];
};
static_assert(sizeof(BlobHeader) == 128);

/// Where the sections lie; computed, never trusted from the blob.
struct BlobSections {
  std::size_t permutation, sums, scales, zero_points, panels, end;
};

/// How products with these weights add up.
inline Sums sums_of(const BlobHeader& h) {
  return h.group_size ? Sums::groups : static_cast<Type>(h.type) == Type::b1 && !h.for_bytes ? Sums::bits : Sums::integers;
}

inline bool valid(Per per) { return per == Per::tensor || per == Per::column; }

/// Elements of a row of the raw weights, in either order, and from row to row.
inline std::int64_t row_elements(const WeightsDesc& d) { return d.order == Order::nk ? elements_of(d.type, d.k) : d.n; }
inline std::int64_t stride_of(const WeightsDesc& d) { return d.stride ? d.stride : row_elements(d); }

/// A description with what its layout implies, checked but for its arrays; and then those.
Status check_weights(const WeightsDesc& desc, WeightsDesc* out) noexcept;
Status check_weight_values(const WeightsDesc& desc) noexcept;

struct WeightsAccess {
  static const BlobHeader& header(const Weights& w) { return *static_cast<const BlobHeader*>(w.blob_); }
  static GroupFormat groups(const BlobHeader& h) {
    return {h.group_size, static_cast<Type>(h.group_scale), static_cast<ZeroPoints>(h.group_zero_points)};
  }
  static BlobSections sections(const Weights& w);
  static Status packed_size(const WeightsDesc& desc, const Kernel& kernel, std::size_t* bytes);
  /// Packs for a given kernel, dispatched or not (tests pack for all of them).
  static Status pack(const WeightsDesc& desc, const Kernel& kernel, void* buffer, std::size_t bytes, Weights* out,
                     const Parallel& parallel);
  /// The steps of it. The descriptions are checked, but for the values of what is added.
  static std::int64_t filter_groups(const Weights& w) { return std::max<std::int64_t>(1, header(w).filter_groups); }
  static Status begin(const WeightsDesc& desc, const Kernel& kernel, void* buffer, std::size_t bytes, WeightsStream* out);
  static Status add(const WeightsDesc& block, const Parallel& parallel, WeightsStream* stream);
  static Status finish(const WeightsStream& stream, Weights* out);
  static Weights view(const void* blob, const BlobHeader& header);
  static Status open(const void* blob, std::size_t bytes, Weights* out);
};

/// Longest k: column sums of int8 stay within int32.
inline constexpr std::int64_t k_limit = (std::int64_t{1} << 24) - 1;
/// Largest n: keeps every byte offset far from overflow.
inline constexpr std::int64_t n_limit = (std::int64_t{1} << 31) - 1;

}  // namespace narrow
