#include "src/blob.h"

#include <cstddef>
#include <cstring>

#include "src/bits.h"
#include "src/hash.h"
#include "src/registry.h"

namespace narrow {
namespace {

constexpr std::size_t line = Weights::alignment;

constexpr std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

std::int64_t panel_count(const BlobHeader& h) {
  const std::int64_t groups = filter_groups(h);
  return groups * ((h.n / groups + h.nr - 1) / h.nr);
}
std::size_t padded_columns(const BlobHeader& h) { return static_cast<std::size_t>(panel_count(h)) * h.nr; }

}  // namespace

/// Sizes are far below overflow: n < 2^31, panel_stride < 2^34 (k_limit, and open() checks a foreign blob's).
BlobSections sections_of(const BlobHeader& h) noexcept {
  auto values = [&](bool present, bool per_column) {
    return present ? round_up(4 * (per_column ? padded_columns(h) : 1), line) : 0;
  };
  BlobSections s;
  s.permutation = sizeof(BlobHeader);
  s.sums = s.permutation + (h.permuted ? round_up(4 * static_cast<std::size_t>(h.k), line) : 0);
  s.scales = s.sums + values(h.group_size == 0, true);
  s.zero_points = s.scales + values(true, h.scale_per == static_cast<std::uint8_t>(Per::column));
  s.panels = s.zero_points + values(h.has_zero_point, h.zero_point_per == static_cast<std::uint8_t>(Per::column));
  s.end = s.panels + static_cast<std::size_t>(panel_count(h)) * h.panel_stride;
  return s;
}

std::int64_t panel_bytes(const BlobHeader& h, const Geometry& g) noexcept {
  const auto type = static_cast<Type>(h.type);
  return h.group_size ? group_panel_bytes(group_format(h), type, g, h.k)
                      : bytes_of_panel(g, padded_k(elements_of(g.a, h.k), g));
}

std::size_t panel_stride(const BlobHeader& h, const Geometry& g) noexcept {
  const std::size_t bytes = round_up(static_cast<std::size_t>(panel_bytes(h, g)), line);
  return bytes % 4096 == 0 ? bytes + line : bytes;
}

std::uint64_t panel_hash(const char* blob, const BlobHeader& h, const BlobSections& s, std::int64_t panel) noexcept {
  return mix(hash(blob + s.panels + panel * h.panel_stride, h.panel_stride, static_cast<std::uint64_t>(panel)));
}
std::uint64_t columns_hash(const char* blob, const BlobSections& s) noexcept {
  return hash(blob + s.permutation, s.panels - s.permutation, ~0ull);
}
std::uint64_t header_hash(const BlobHeader& h) noexcept { return hash(&h, offsetof(BlobHeader, header_hash), 0); }

bool is_filter_k(std::int64_t k, std::int64_t h, std::int64_t w, std::int64_t c) noexcept {
  if (h < 1 || w < 1 || c < 1 || h > k || w > k || c > k) return false;
  const std::int64_t taps = k / (8 * bit_row_bytes(c));  // h * w stays below 2^48
  return taps * 8 * bit_row_bytes(c) == k && h * w == taps;
}

Status check_blob(const void* blob, std::size_t bytes, BlobHeader* out) noexcept {
  auto bad = [](const char* reason) { return Status{Code::bad_weights, reason}; };
  if (!blob) return {Code::invalid_argument, "weights: null pointer"};
  if (reinterpret_cast<std::uintptr_t>(blob) % line != 0)
    return {Code::invalid_argument, "weights: the blob is not aligned to 64 bytes"};
  if (bytes < sizeof(BlobHeader)) return bad("weights: the blob is shorter than its header");
  BlobHeader h;
  std::memcpy(&h, blob, sizeof h);
  if (std::memcmp(h.magic, blob_magic, sizeof blob_magic) != 0) return bad("weights: not a narrow blob");
  if (h.version != blob_version) return bad("weights: a blob of another version of the format");
  if (h.header_hash != header_hash(h)) return bad("weights: the header is damaged");
  // From here on the header is what some pack wrote, unless somebody forged its hash: everything is checked all the same.
  const auto tier = static_cast<Tier>(h.tier);
  const auto type = static_cast<Type>(h.type);
  if (h.tier >= tier_count || (type != Type::s8 && !is_4bit(type) && (h.group_size || type != Type::b1)))
    return bad("weights: unknown tier or type");
  if (h.k < 0 || h.k > k_limit || h.n < 0 || h.n > n_limit || h.nr == 0 || h.nr > max_tile_cols)
    return bad("weights: sizes out of range");
  if (!valid(static_cast<Per>(h.scale_per)) || !valid(static_cast<Per>(h.zero_point_per)) || h.has_zero_point > 1)
    return bad("weights: unknown granularity");
  if (h.sum_bound < 0 || h.sum_bound > h.k * 255) return bad("weights: the bound of the column sums is out of range");
  const GroupFormat groups = group_format(h);
  const bool grouped = groups.size != 0;
  if (grouped ? groups.size < 0 || groups.size % 8 != 0 || groups.size > k_limit || h.has_zero_point ||
                    (groups.scale != Type::f32 && groups.scale != Type::bf16 && groups.scale != Type::f16) ||
                    groups.zero_points > ZeroPoints::floats
              : h.group_scale || h.group_zero_points || h.permuted)
    return bad("weights: groups that are none");
  if (type == Type::b1 && h.has_zero_point) return bad("weights: zero points of bits");
  if (h.for_bytes > (type == Type::b1)) return bad("weights: for an operand that is none");
  if (h.permuted > 1) return bad("weights: the header is damaged");
  if (h.filter_groups != 0 && (h.filter_groups == 1 || h.n % h.filter_groups != 0))
    return bad("weights: groups of filters that are none");
  if ((h.filter_groups | h.filter_h | h.filter_w | h.filter_c) != 0 &&
      (type != Type::b1 || !is_filter_k(h.k, h.filter_h, h.filter_w, h.filter_c)))
    return bad("weights: filters that are none");
  if (h.none != 0) return bad("weights: the header is damaged");
  for (std::uint64_t word : h.reserved)
    if (word != 0) return bad("weights: the header is damaged");
  if (h.panel_stride > (std::uint64_t{1} << 34) || h.panel_stride % line != 0 ||
      h.panel_stride < static_cast<std::uint64_t>(h.k) * h.nr /
                           (type == Type::b1 ? 8
                            : is_4bit(type)  ? 2
                                             : 1))
    return bad("weights: panel stride out of range");
  const Kernel* kernel = find_kernel(tier, packed_type(type), sums_of(h), h.layout);
  if (kernel && (kernel->geometry.nr != h.nr || panel_stride(h, kernel->geometry) != h.panel_stride))
    return bad("weights: the panels are not laid out as this version's kernels read them");
  if (h.panel_stride > 0 && panel_count(h) > static_cast<std::int64_t>(bytes / h.panel_stride))
    return bad("weights: the blob is truncated");
  const BlobSections s = sections_of(h);
  if (h.bytes != s.end) return bad("weights: the header contradicts itself");
  if (bytes < s.end) return bad("weights: the blob is truncated");

  const char* p = static_cast<const char*>(blob);
  std::uint64_t body = columns_hash(p, s);
  for (std::int64_t i = 0; i < panel_count(h); ++i) body += panel_hash(p, h, s, i);
  if (body != h.body_hash) return bad("weights: the values are damaged");
  for (std::int64_t i = 0; h.permuted && i < h.k; ++i)
    if (const std::int32_t k = reinterpret_cast<const std::int32_t*>(p + s.permutation)[i]; k < 0 || k >= h.k)
      return bad("weights: an index of the permutation is outside k");
  *out = h;
  return {};
}

}  // namespace narrow
