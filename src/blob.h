// The packed-weights blob, from inside. One little-endian, position-independent piece of memory:
//
//   0            BlobHeader (two cache lines, checksummed on its own)
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

#include "narrow/weights.h"
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
  std::uint64_t bytes;      ///< of the whole blob
  std::int64_t sum_bound;   ///< no column's sum over k of |b - zero_point| is larger
  std::uint64_t body_hash;  ///< of everything behind the header
  std::int64_t group_size;  ///< 0: no groups, and the two that follow are 0
  std::uint8_t group_scale, group_zero_points;
  std::uint8_t for_bytes;       ///< 1: bits whose A is bytes; else 0
  std::uint8_t permuted;        ///< 1: groups are of permuted k; else 0
  std::uint32_t filter_groups;  ///< 0: none; else the columns are those of so many groups, each with panels of its own
  std::uint32_t filter_h, filter_w, filter_c;  ///< taps and channels that k is made of; all 0 where columns are no filters
  std::uint32_t none;                          ///< 0
  std::uint64_t header_hash;                   ///< of everything above
  std::uint64_t reserved[2];
};
static_assert(sizeof(BlobHeader) == 128);

inline constexpr char blob_magic[8] = {'n', 'a', 'r', 'r', 'o', 'w', 'W', '\n'};
inline constexpr std::uint32_t blob_version = 2;

/// Where the sections lie; computed, never trusted from the blob.
struct BlobSections {
  std::size_t permutation, sums, scales, zero_points, panels, end;
};
BlobSections sections_of(const BlobHeader& h) noexcept;

/// How products with these weights add up.
inline Sums sums_of(const BlobHeader& h) {
  return h.group_size ? Sums::groups : static_cast<Type>(h.type) == Type::b1 && !h.for_bytes ? Sums::bits : Sums::integers;
}

/// At least one.
inline std::int64_t filter_groups(const BlobHeader& h) { return h.filter_groups ? h.filter_groups : 1; }

inline GroupFormat group_format(const BlobHeader& h) {
  return {h.group_size, static_cast<Type>(h.group_scale), static_cast<ZeroPoints>(h.group_zero_points)};
}

inline std::int64_t padded_k(std::int64_t k, const Geometry& g) { return (k + g.k_unit - 1) / g.k_unit * g.k_unit; }
/// Bytes of a panel that hold something, and from panel to panel.
std::int64_t panel_bytes(const BlobHeader& h, const Geometry& g) noexcept;
std::size_t panel_stride(const BlobHeader& h, const Geometry& g) noexcept;

/// Panels are hashed one by one, so that the threads that pack them can do it while they are in cache. The body's hash is the
/// sum of theirs and of what stands before them.
std::uint64_t panel_hash(const char* blob, const BlobHeader& h, const BlobSections& s, std::int64_t panel) noexcept;
std::uint64_t columns_hash(const char* blob, const BlobSections& s) noexcept;
std::uint64_t header_hash(const BlobHeader& h) noexcept;

/// Whether k is that many taps of so many channels, each in whole words; sizes are at least 1.
bool is_filter_k(std::int64_t k, std::int64_t h, std::int64_t w, std::int64_t c) noexcept;

/// Refuses what is damaged, foreign, or of another layout, and never reads past `bytes`.
Status check_blob(const void* blob, std::size_t bytes, BlobHeader* out) noexcept;

inline bool valid(Per per) { return per == Per::tensor || per == Per::column; }

/// Longest k: column sums of int8 stay within int32.
inline constexpr std::int64_t k_limit = (std::int64_t{1} << 24) - 1;
/// Largest n: keeps every byte offset far from overflow.
inline constexpr std::int64_t n_limit = (std::int64_t{1} << 31) - 1;

}  // namespace narrow
