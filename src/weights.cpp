#include "src/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/bits.h"
#include "src/claim.h"
#include "src/hash.h"
#include "src/registry.h"

namespace narrow {
namespace {

constexpr char magic[8] = {'n', 'a', 'r', 'r', 'o', 'w', 'W', '\n'};
constexpr std::uint32_t version = 1;
constexpr std::size_t line = Weights::alignment;

constexpr std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

std::int64_t panel_count(const BlobHeader& h) { return (h.n + h.nr - 1) / h.nr; }
std::size_t padded_columns(const BlobHeader& h) { return static_cast<std::size_t>(panel_count(h)) * h.nr; }

/// Sizes are far below overflow: n < 2^31, panel_stride < 2^34 (k_limit, and open() checks a foreign blob's).
BlobSections layout(const BlobHeader& h) {
  auto values = [&](bool present, bool per_column) {
    return present ? round_up(4 * (per_column ? padded_columns(h) : 1), line) : 0;
  };
  BlobSections s;
  s.sums = sizeof(BlobHeader);
  s.scales = s.sums + values(h.group_size == 0, true);
  s.zero_points = s.scales + values(true, h.scale_per == static_cast<std::uint8_t>(Per::column));
  s.panels = s.zero_points + values(h.has_zero_point, h.zero_point_per == static_cast<std::uint8_t>(Per::column));
  s.end = s.panels + static_cast<std::size_t>(panel_count(h)) * h.panel_stride;
  return s;
}

std::int64_t padded_k(std::int64_t k, const Geometry& g) { return (k + g.k_unit - 1) / g.k_unit * g.k_unit; }

/// Bytes of a panel that hold something.
std::int64_t panel_bytes(const BlobHeader& h, const Geometry& g) {
  const auto type = static_cast<Type>(h.type);
  return h.group_size ? group_panel_bytes(WeightsAccess::groups(h), type, g, h.k)
                      : bytes_of_panel(g, padded_k(elements_of(g.a, h.k), g));
}

std::size_t panel_stride(const BlobHeader& h, const Geometry& g) {
  const std::size_t bytes = round_up(static_cast<std::size_t>(panel_bytes(h, g)), line);
  return bytes % 4096 == 0 ? bytes + line : bytes;
}

/// Panels are hashed one by one, so that the threads that pack them can do it while they are in cache.
std::uint64_t panel_hash(const char* blob, const BlobHeader& h, const BlobSections& s, std::int64_t panel) {
  return mix(hash(blob + s.panels + panel * h.panel_stride, h.panel_stride, static_cast<std::uint64_t>(panel)));
}
std::uint64_t columns_hash(const char* blob, const BlobSections& s) { return hash(blob + s.sums, s.panels - s.sums, ~0ull); }
std::uint64_t header_hash(const BlobHeader& h) { return hash(&h, offsetof(BlobHeader, header_hash), 0); }

/// Elements of a row of the raw weights, in either order.
std::int64_t row_elements(const WeightsDesc& d) { return d.order == Order::nk ? elements_of(d.type, d.k) : d.n; }
std::int64_t stride_of(const WeightsDesc& d) { return d.stride ? d.stride : row_elements(d); }

Status kernel_for(const WeightsDesc& d, const Kernel** kernel) {
  const bool bits = d.type == Type::b1 && d.operand == Type::b1;
  return find_kernel(d.cap, packed_type(d.type), d.groups.size ? Sums::groups : bits ? Sums::bits : Sums::integers, kernel);
}

/// Everything that is known before packing. The description is checked.
BlobHeader header_of(const WeightsDesc& d, const Kernel& kernel) {
  BlobHeader h{};
  std::memcpy(h.magic, magic, sizeof magic);
  h.version = version;
  h.tier = static_cast<std::uint8_t>(kernel.tier);
  h.type = static_cast<std::uint8_t>(d.type);
  h.layout = kernel.layout;
  h.nr = static_cast<std::uint16_t>(kernel.geometry.nr);
  h.for_bytes = d.type == Type::b1 && kernel.sums == Sums::integers;
  h.k = d.k;
  h.n = d.n;
  if (d.groups.size == 0) {
    h.scale_per = static_cast<std::uint8_t>(d.scale ? d.scale_per : Per::tensor);
    h.zero_point_per = static_cast<std::uint8_t>(d.zero_point_per);
    h.has_zero_point = d.zero_point != nullptr;
  } else {
    const GroupFormat format = group_format(d);
    h.group_size = format.size;
    h.group_scale = static_cast<std::uint8_t>(format.scale);
    h.group_zero_points = static_cast<std::uint8_t>(format.zero_points);
  }
  h.panel_stride = panel_stride(h, kernel.geometry);
  h.bytes = layout(h).end;
  return h;
}

bool valid(Per per) { return per == Per::tensor || per == Per::column; }

Status check(const WeightsDesc& d) {
  auto bad = [](const char* reason) { return Status{Code::invalid_argument, reason}; };
  const bool is_4bit = d.type == Type::s4 || d.type == Type::u4;
  if (d.type != Type::s8 && d.type != Type::b1 && !is_4bit)
    return {Code::unsupported, "weights: type must be s8, s4, u4 or b1"};
  if (is_4bit && d.groups.size == 0) return {Code::unsupported, "weights: s4 and u4 come with groups"};
  if (d.type == Type::b1 && d.operand != Type::b1 && d.operand != Type::s8)
    return {Code::unsupported, "weights: what bits are multiplied with is b1 or s8"};
  if (d.type == Type::b1 && d.groups.size != 0) return {Code::unsupported, "weights: bits have no groups"};
  if (d.k < 0 || d.n < 0) return bad("weights: negative k or n");
  if (d.n > n_limit) return {Code::unsupported, "weights: n above 2^31 - 1"};
  if (d.k > k_limit) return {Code::overflow, "weights: k above 2^24 - 1"};
  if (d.order != Order::nk && d.order != Order::kn) return bad("weights: order is neither nk nor kn");
  if (d.type == Type::b1 && d.order != Order::nk) return {Code::unsupported, "weights: bits come in the order nk"};
  if (d.type == Type::b1 && d.zero_point) return {Code::unsupported, "weights: bits have no zero points"};
  if (d.stride != 0 && d.stride < row_elements(d)) return bad("weights: stride shorter than a row");
  if (d.groups.size != 0) return check_groups(d);
  if (!valid(d.scale_per) || !valid(d.zero_point_per))
    return bad("weights: scales and zero points are per tensor or per column");
  return {};
}

Status check_values(const WeightsDesc& d) {
  auto bad = [](const char* reason) { return Status{Code::invalid_argument, reason}; };
  if (!d.data && d.k > 0 && d.n > 0) return bad("weights: data is null");
  if (d.groups.size != 0) return check_group_values(d);
  if (d.scale)
    for (std::int64_t j = 0, count = d.scale_per == Per::column ? d.n : 1; j < count; ++j)
      if (!std::isfinite(d.scale[j])) return bad("weights: a scale is not finite");
  if (d.zero_point)
    for (std::int64_t j = 0, count = d.zero_point_per == Per::column ? d.n : 1; j < count; ++j)
      if (d.zero_point[j] < -128 || d.zero_point[j] > 127) return bad("weights: a zero point is outside -128..127");
  if (d.type == Type::b1 && !padding_is_zero(d.data, stride_of(d), d.n, d.k)) return bad("weights: a bit beyond k is not 0");
  return {};
}

std::int32_t zero_point(const WeightsDesc& d, std::int64_t column) {
  return d.zero_point ? d.zero_point[d.zero_point_per == Per::column ? column : 0] : 0;
}

/// The largest sum over k of |b - zero_point| of any column in [begin, end). Only a long k needs the values themselves: below
/// this length no product of any types can overflow. With groups, of any group's sum.
std::int64_t sum_bound(const WeightsDesc& d, std::int64_t begin, std::int64_t end) {
  if (d.type == Type::b1) return d.k;
  if (d.groups.size != 0) return std::min(d.k, d.groups.size) * (d.type == Type::s8 ? 255 : 15);
  if (d.k <= max_k(Type::u8, Type::s8, true)) return d.k * (d.zero_point ? 255 : 128);
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
  if (a == Type::b1 && b == Type::b1) return std::numeric_limits<std::int32_t>::max();
  if ((a != Type::u8 && a != Type::s8) || (b != Type::s8 && b != Type::b1)) return 0;
  const std::int64_t a_reach = zero_points ? 255 : a == Type::u8 ? 255 : 128;
  const std::int64_t b_reach = b == Type::b1 ? 1 : zero_points ? 255 : 128;
  return std::numeric_limits<std::int32_t>::max() / (a_reach * b_reach);
}

BlobSections WeightsAccess::sections(const Weights& w) { return layout(header(w)); }

Status WeightsAccess::packed_size(const WeightsDesc& d, const Kernel& kernel, std::size_t* bytes) {
  if (Status s = check(d); !s.ok()) return s;
  *bytes = header_of(d, kernel).bytes;
  return {};
}

Status WeightsAccess::pack(const WeightsDesc& d, const Kernel& kernel, void* buffer, std::size_t bytes, Weights* out,
                           const Parallel& parallel) {
  std::size_t needed;
  if (Status s = packed_size(d, kernel, &needed); !s.ok()) return s;
  if (Status s = check_values(d); !s.ok()) return s;
  if (!buffer || reinterpret_cast<std::uintptr_t>(buffer) % line != 0)
    return {Code::invalid_argument, "weights: the buffer is null or not aligned to 64 bytes"};
  if (bytes < needed) return {Code::invalid_argument, "weights: the buffer is smaller than packed_size says"};

  const Geometry& g = kernel.geometry;
  BlobHeader h = header_of(d, kernel);
  const bool grouped = h.group_size != 0;

  char* blob = static_cast<char*>(buffer);
  const BlobSections s = layout(h);
  std::memset(blob, 0, s.panels);
  auto* sums = reinterpret_cast<std::int32_t*>(blob + s.sums);
  auto* scales = reinterpret_cast<float*>(blob + s.scales);
  if (d.scale && !grouped)
    std::memcpy(scales, d.scale, sizeof(float) * (d.scale_per == Per::column ? d.n : 1));
  else
    *scales = 1.0f;
  if (h.has_zero_point)
    std::memcpy(blob + s.zero_points, d.zero_point, sizeof(std::int32_t) * (d.zero_point_per == Per::column ? d.n : 1));

  // Pieces of 64 columns; from [k,n], where these are one cache line of each row and often one of each page, eight times as
  // many.
  const std::int64_t panels = panel_count(h);
  const std::int64_t piece = std::max(1, (d.order == Order::nk ? 64 : 512) / g.nr);
  const std::int64_t stride = stride_of(d);
  const std::int64_t k = elements_of(g.a, d.k), used = panel_bytes(h, g);
  std::atomic<std::uint64_t> body{0};
  std::atomic<std::int64_t> bound{0};
  claim(parallel, (panels + piece - 1) / piece, [&](int, std::int64_t i) {
    const std::int64_t first = i * piece, last = std::min(panels, first + piece);
    const std::int64_t begin = first * g.nr, end = std::min(d.n, last * g.nr);
    if (grouped)
      for (std::int64_t p = first; p < last; ++p) pack_group_panel(d, g, p * g.nr, blob + s.panels + p * h.panel_stride);
    else
      kernel.pack_b({static_cast<const std::int8_t*>(d.data) + (d.order == Order::nk ? begin * stride : begin), d.order, stride,
                     k, padded_k(k, g), static_cast<int>(end - begin), blob + s.panels + first * h.panel_stride,
                     static_cast<std::ptrdiff_t>(h.panel_stride), sums + begin});
    std::uint64_t sum_of_hashes = 0;
    for (std::int64_t p = first; p < last; ++p) {
      std::memset(blob + s.panels + p * h.panel_stride + used, 0, h.panel_stride - used);
      sum_of_hashes += panel_hash(blob, h, s, p);
    }
    for (std::int64_t j = begin; j < end && !grouped; ++j) {
      if (d.type == Type::b1)
        sums[j] = sum_of_bits(static_cast<const char*>(d.data) + j * stride, d.k);
      else
        sums[j] -= static_cast<std::int32_t>(d.k * zero_point(d, j));  // modulo 2^32, as all sums are
    }
    body.fetch_add(sum_of_hashes, std::memory_order_relaxed);
    const std::int64_t mine = sum_bound(d, begin, end);
    for (std::int64_t seen = bound.load(); seen < mine && !bound.compare_exchange_weak(seen, mine);) {
    }
  });
  h.sum_bound = bound.load();
  h.body_hash = body.load() + columns_hash(blob, s);
  h.header_hash = header_hash(h);
  std::memcpy(blob, &h, sizeof h);
  if (out) {
    out->blob_ = blob;
    out->bytes_ = needed;
    out->k_ = d.k;
    out->n_ = d.n;
    out->type_ = d.type;
    out->tier_ = kernel.tier;
  }
  return {};
}

Status WeightsAccess::open(const void* blob, std::size_t bytes, Weights* out) {
  auto bad = [](const char* reason) { return Status{Code::bad_weights, reason}; };
  if (!blob || !out) return {Code::invalid_argument, "weights: null pointer"};
  if (reinterpret_cast<std::uintptr_t>(blob) % line != 0)
    return {Code::invalid_argument, "weights: the blob is not aligned to 64 bytes"};
  if (bytes < sizeof(BlobHeader)) return bad("weights: the blob is shorter than its header");
  BlobHeader h;
  std::memcpy(&h, blob, sizeof h);
  if (std::memcmp(h.magic, magic, sizeof magic) != 0) return bad("weights: not a narrow blob");
  if (h.version != version) return bad("weights: a blob of another version of the format");
  if (h.header_hash != header_hash(h)) return bad("weights: the header is damaged");
  // From here on the header is what some pack wrote, unless somebody forged its hash: everything is checked all the same.
  const auto tier = static_cast<Tier>(h.tier);
  const auto type = static_cast<Type>(h.type);
  const bool is_4bit = type == Type::s4 || type == Type::u4;
  if (h.tier >= tier_count || (type != Type::s8 && (h.group_size ? !is_4bit : type != Type::b1)))
    return bad("weights: unknown tier or type");
  if (h.k < 0 || h.k > k_limit || h.n < 0 || h.n > n_limit || h.nr == 0 || h.nr > max_tile_cols)
    return bad("weights: sizes out of range");
  if (!valid(static_cast<Per>(h.scale_per)) || !valid(static_cast<Per>(h.zero_point_per)) || h.has_zero_point > 1)
    return bad("weights: unknown granularity");
  if (h.sum_bound < 0 || h.sum_bound > h.k * 255) return bad("weights: the bound of the column sums is out of range");
  const GroupFormat groups = WeightsAccess::groups(h);
  const bool grouped = groups.size != 0;
  if (grouped ? groups.size < 0 || groups.size % 8 != 0 || groups.size > k_limit || h.has_zero_point ||
                    (groups.scale != Type::f32 && groups.scale != Type::bf16 && groups.scale != Type::f16) ||
                    groups.zero_points > ZeroPoints::floats
              : h.group_scale || h.group_zero_points)
    return bad("weights: groups that are none");
  if (h.for_bytes > (type == Type::b1)) return bad("weights: for an operand that is none");
  for (std::uint8_t byte : h.group_reserved)
    if (byte != 0) return bad("weights: the header is damaged");
  for (std::uint64_t word : h.reserved)
    if (word != 0) return bad("weights: the header is damaged");
  if (h.panel_stride > (std::uint64_t{1} << 34) || h.panel_stride % line != 0 ||
      h.panel_stride < static_cast<std::uint64_t>(h.k) * h.nr /
                           (type == Type::b1 ? 8
                            : is_4bit        ? 2
                                             : 1))
    return bad("weights: panel stride out of range");
  const Kernel* kernel = find_kernel(tier, packed_type(type), sums_of(h), h.layout);
  if (kernel && (kernel->geometry.nr != h.nr || panel_stride(h, kernel->geometry) != h.panel_stride))
    return bad("weights: the panels are not laid out as this version's kernels read them");
  const BlobSections s = layout(h);
  if (h.bytes != s.end) return bad("weights: the header contradicts itself");
  if (bytes < s.end) return bad("weights: the blob is truncated");

  const char* p = static_cast<const char*>(blob);
  std::uint64_t body = columns_hash(p, s);
  for (std::int64_t i = 0; i < panel_count(h); ++i) body += panel_hash(p, h, s, i);
  if (body != h.body_hash) return bad("weights: the values are damaged");
  out->blob_ = blob;
  out->bytes_ = s.end;
  out->k_ = h.k;
  out->n_ = h.n;
  out->type_ = type;
  out->tier_ = tier;
  return {};
}

Status Weights::packed_size(const WeightsDesc& desc, std::size_t* bytes) noexcept {
  if (!bytes) return {Code::invalid_argument, "weights: null pointer"};
  if (Status s = check(desc); !s.ok()) return s;
  const Kernel* kernel;
  if (Status s = kernel_for(desc, &kernel); !s.ok()) return s;
  return WeightsAccess::packed_size(desc, *kernel, bytes);
}

Status Weights::pack(const WeightsDesc& desc, void* buffer, std::size_t bytes, Weights* out,
                     const Parallel& parallel) noexcept {
  if (!out) return {Code::invalid_argument, "weights: null pointer"};
  if (Status s = check(desc); !s.ok()) return s;
  const Kernel* kernel;
  if (Status s = kernel_for(desc, &kernel); !s.ok()) return s;
  return WeightsAccess::pack(desc, *kernel, buffer, bytes, out, parallel);
}

Status Weights::open(const void* blob, std::size_t bytes, Weights* out) noexcept {
  return WeightsAccess::open(blob, bytes, out);
}

}  // namespace narrow
