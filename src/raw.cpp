#include "src/raw.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/common/float16.h"
#include "src/quantize.h"
#include "src/status.h"

namespace narrow {
namespace {

constexpr WordLayout words(int values, int header, int bits, bool along_k, bool words_lead = false) {
  WordLayout w{values, header, bits, along_k, words_lead, {}};
  for (int i = 0; i < values; ++i) w.order[i] = static_cast<std::uint8_t>(i);
  return w;
}
constexpr WordLayout block_of_nibbles(int header) {  // the low nibbles of all bytes come first
  WordLayout w = words(32, header, 4, true);
  for (int i = 0; i < 32; ++i) w.order[i] = static_cast<std::uint8_t>(i % 16 * 2 + i / 16);
  return w;
}
constexpr WordLayout interleaved_columns() {
  WordLayout w = words(8, 0, 4, false);
  for (int i = 0; i < 8; ++i) w.order[i] = static_cast<std::uint8_t>(i / 2 + i % 2 * 4);
  return w;
}

constexpr WordLayout nibbles_nk = words(2, 0, 4, true), nibbles_kn = words(2, 0, 4, false);
constexpr WordLayout bytes_nk = words(1, 0, 8, true), bytes_kn = words(1, 0, 8, false);
constexpr WordLayout q4_0 = block_of_nibbles(2), q4_1 = block_of_nibbles(4), q8_0 = words(32, 2, 8, true);
constexpr WordLayout gptq = words(8, 0, 4, true, true), gptq_zeros = words(8, 0, 4, false);
constexpr WordLayout awq = interleaved_columns();

/// What a layout prescribes, indexed by Layout.
struct Format {
  Type type;                 ///< of the weights; none: any
  Order order;               ///< of the arrays for groups
  int group;                 ///< size of the groups; 0: as described
  int k_unit, n_unit;        ///< k and n are multiples of these
  const WordLayout* values;  ///< null: as described
  const WordLayout* zeros;   ///< of 4 bits; null: as described
  int zero_add;              ///< to zero points
  int offset_at;             ///< bytes into a word where minus its offset is, after its scale; 0: there is none
};
constexpr Format formats[] = {
    {Type::none, Order::nk, 0, 1, 1, nullptr, nullptr, 0, 0},    // matrix
    {Type::u4, Order::nk, 0, 1, 1, &nibbles_nk, nullptr, 0, 0},  // matmul_nbits
    {Type::u4, Order::nk, 32, 32, 1, &q4_0, nullptr, 0, 0},     {Type::u4, Order::nk, 32, 32, 1, &q4_1, nullptr, 0, 2},
    {Type::s8, Order::nk, 32, 32, 1, &q8_0, nullptr, 0, 0},     {Type::u4, Order::kn, 0, 8, 8, &gptq, &gptq_zeros, 1, 0},
    {Type::u4, Order::kn, 0, 1, 8, &awq, &awq, 0, 0},
};
constexpr int layout_count = sizeof formats / sizeof *formats;

const Format& format_of(const WeightsDesc& d) { return formats[static_cast<int>(d.layout)]; }
bool blocks_have_scales(const Format& f) { return f.values && f.values->header != 0; }

/// Bytes of a row of words for `k` by `n` values.
std::int64_t row_bytes(const WordLayout& w, std::int64_t k, std::int64_t n) {
  const std::int64_t along = w.along_k ? k : n, across = w.along_k ? n : k;
  return (w.words_lead ? across : (along + w.values - 1) / w.values) * w.bytes();
}

/// Reads values as they are stored; all of a word at once, so that the compiler knows every shift.
template <const WordLayout& w>
void read_words(const WordGrid& grid, std::int64_t column, int cols, std::int64_t k, int count, int flip, int add,
                std::uint8_t (*out)[read_chunk]) {
  const auto read_word = [&](const std::uint8_t* p, std::uint8_t* v) {
    for (int i = 0; i < w.values; ++i) {
      const int place = w.order[i];
      const int raw = w.bits == 4 ? p[w.header + place / 2] >> place % 2 * 4 & 15 : p[w.header + place];
      v[i] = static_cast<std::uint8_t>((raw ^ flip) + add);
    }
  };
  std::uint8_t v[w.values];
  if constexpr (w.along_k) {
    const std::int64_t step = w.words_lead ? grid.row_bytes : w.bytes();
    for (int c = 0; c < cols; ++c) {
      const std::uint8_t* p = grid.word(k, column + c);
      int i = 0;
      for (; i + w.values <= count; i += w.values, p += step) read_word(p, out[c] + i);
      if (w.values == 1 || i == count) continue;
      read_word(p, v);
      for (int u = 0; i < count; ++u, ++i) out[c][i] = v[u];
    }
  } else {
    for (int i = 0; i < count; ++i) {
      const std::uint8_t* p = grid.word(k + i, column);
      for (int c = -static_cast<int>(column % w.values); c < cols; c += w.values, p += w.bytes()) {
        read_word(p, v);
        for (int u = std::max(0, -c); u < w.values && c + u < cols; ++u) out[c + u][i] = v[u];
      }
    }
  }
}

using ReadWords = void (*)(const WordGrid&, std::int64_t, int, std::int64_t, int, int, int, std::uint8_t (*)[read_chunk]);
struct Reader {
  const WordLayout* layout;
  ReadWords read;
};
constexpr Reader readers[] = {
    {&nibbles_nk, read_words<nibbles_nk>},
    {&nibbles_kn, read_words<nibbles_kn>},
    {&bytes_nk, read_words<bytes_nk>},
    {&bytes_kn, read_words<bytes_kn>},
    {&q4_0, read_words<q4_0>},
    {&q4_1, read_words<q4_1>},
    {&q8_0, read_words<q8_0>},
    {&gptq, read_words<gptq>},
    {&awq, read_words<awq>},
};

float float_at(const void* p, Type type) {
  float whole;
  std::uint16_t bits;
  if (type == Type::f32) return std::memcpy(&whole, p, sizeof whole), whole;
  std::memcpy(&bits, p, sizeof bits);  // a block's may be anywhere
  return type == Type::f16 ? to_float(F16{bits}) : to_float(Bf16{bits});
}

/// `count` k of a column of float weights, from k on.
FloatSource floats_of(const WeightsDesc& d, std::int64_t column, std::int64_t k, std::int64_t count) {
  const bool nk = d.order == Order::nk;
  const std::int64_t stride = d.stride ? d.stride : nk ? d.k : d.n, first = nk ? column * stride + k : k * stride + column;
  return {static_cast<const char*>(d.data) + first * static_cast<std::int64_t>(size_of(d.data_type)), d.data_type,
          nk ? 1 : stride, count};
}

}  // namespace

float FloatGrid::at(std::int64_t group, std::int64_t column) const noexcept {
  return float_at(data + group * group_bytes + column * column_bytes, type);
}

Status normalize(const WeightsDesc& desc, WeightsDesc* out) noexcept {
  WeightsDesc d = desc;
  if (static_cast<unsigned>(d.layout) >= layout_count) return invalid("weights: unknown layout");
  const Format& f = format_of(d);
  if (d.data_type != Type::none) {
    if (!is_float(d.data_type)) return invalid("weights: data_type is none, f32, bf16 or f16");
    if (d.type != Type::s8 && !is_4bit(d.type)) return {Code::unsupported, "weights: floats are quantized to s8, s4 or u4"};
    if (d.layout != Layout::matrix || d.permutation) return invalid("weights: floats are a matrix, without a permutation");
    if (d.range != Range::min_max && d.range != Range::mse) return invalid("weights: unknown search for the range");
  }
  if (d.layout != Layout::matrix) {
    if (d.type != f.type) return invalid("weights: another type than the layout's");
    if (d.k % f.k_unit != 0 || d.n % f.n_unit != 0) return invalid("weights: k or n is no multiple of the layout's blocks");
    if (d.stride != 0) return invalid("weights: a stride is a matrix's");
    if (f.group != 0 && d.groups.size != 0 && d.groups.size != f.group)
      return invalid("weights: another size of groups than the layout's");
    if (f.group == 0 && d.groups.size == 0) return invalid("weights: a layout with groups, and no size of them");
    if (blocks_have_scales(f)) {
      if (d.groups.scale || d.groups.zero_point) return invalid("weights: the layout's blocks have their own scales");
      d.groups.scale_type = Type::f16;
      d.groups.scale = d.data;
    }
    if (f.group != 0) d.groups.size = f.group;
    d.order = f.order;
    if (d.groups.zero_point && f.zeros && d.groups.zero_point_type != Type::u4)
      return invalid("weights: zero points of this layout are u4");
  }
  if (d.permutation && d.groups.size == 0) return {Code::unsupported, "weights: a permutation goes with groups"};
  *out = d;
  return {};
}

RawWeights::RawWeights(const WeightsDesc& d) noexcept : desc_(d), group_size_(d.groups.size ? d.groups.size : d.k) {
  const Format& f = format_of(d);
  const bool nk = d.order == Order::nk;
  const auto at = [&](bool nibbles) { return nibbles ? nk ? &nibbles_nk : &nibbles_kn : nk ? &bytes_nk : &bytes_kn; };
  const std::int64_t count = group_size_ ? (d.k + group_size_ - 1) / group_size_ : 0;
  const std::int64_t k = d.layout == Layout::matmul_nbits ? count * group_size_ : d.k;

  values_ = {f.values ? f.values : at(is_4bit(d.type)), static_cast<const std::uint8_t*>(d.data), 0};
  values_.row_bytes = d.stride ? (is_4bit(d.type) ? d.stride / 2 : d.stride) : row_bytes(*values_.layout, k, d.n);
  zero_points_ = {f.zeros ? f.zeros : at(is_4bit(d.groups.zero_point_type)),
                  static_cast<const std::uint8_t*>(d.groups.zero_point), 0};
  zero_points_.row_bytes = row_bytes(*zero_points_.layout, count, d.n);

  const auto array = [&](const void* data, Type type) {
    const auto size = static_cast<std::int64_t>(size_of(type));
    return FloatGrid{static_cast<const char*>(data), type, nk ? size : size * d.n, nk ? size * count : size};
  };
  scales_ = array(d.groups.scale, d.groups.scale_type);
  offsets_ = array(d.groups.zero_point, d.groups.zero_point_type);
  if (blocks_have_scales(f)) {
    scales_ = {static_cast<const char*>(d.data), Type::f16, f.values->bytes(), values_.row_bytes};
    offsets_ = scales_;
    offsets_.data += f.offset_at;
  }
}

bool RawWeights::group(std::int64_t g, std::int64_t column, int cols, GroupColumns* out) const noexcept {
  const Format& f = format_of(desc_);
  const GroupsDesc& groups = desc_.groups;
  bool finite = true;
  for (int c = 0; c < cols; ++c) {
    const std::int64_t j = column + c;
    if (desc_.data_type != Type::none) {
      const std::int64_t first = g * group_size_;
      Quantizer q;
      finite &= fit(floats_of(desc_, j, first, std::min(group_size_, desc_.k - first)), desc_.type,
                    groups.size ? groups.scale_type : Type::f32, desc_.range, &q);
      out->scale[c] = q.scale;
      out->offset[c] = q.inverse;
      out->zero_point[c] = q.zero_point;
      continue;
    }
    out->scale[c] = scales_.at(g, j);
    if (f.offset_at) {
      out->offset[c] = -offsets_.at(g, j);
    } else if (groups.zero_point && is_float(groups.zero_point_type)) {
      out->offset[c] = out->scale[c] * offsets_.at(g, j);
    } else if (groups.zero_point) {
      const int z = zero_points_.at(g, j);
      const bool is_signed =
          groups.zero_point_type == Type::s4 || (groups.zero_point_type == Type::u8 && desc_.type != Type::u4);
      const int half = is_signed ? groups.zero_point_type == Type::s4 ? 8 : 128 : 0;
      out->zero_point[c] = (z ^ half) - half + f.zero_add;
    } else {
      out->zero_point[c] = desc_.type == Type::u4 ? 8 : 0;
    }
    const bool has_offset = f.offset_at || (groups.zero_point && is_float(groups.zero_point_type));
    finite &= std::isfinite(out->scale[c]) && (!has_offset || std::isfinite(out->offset[c]));
  }
  return finite;
}

void RawWeights::read(std::int64_t column, int cols, std::int64_t k, int count, const GroupColumns& group, int add,
                      std::uint8_t (*out)[read_chunk]) const noexcept {
  const int flip = desc_.type == Type::s4 ? 8 : 0;
  if (desc_.data_type != Type::none) {
    const int bias = desc_.type == Type::s4 ? 8 : add;
    for (int c = 0; c < cols; ++c) {
      const int lo = desc_.type == Type::u4 ? 0 : desc_.type == Type::s4 ? -8 : -128;
      const Quantizer q{group.scale[c], group.offset[c], group.zero_point[c], lo, lo == 0 ? 15 : -lo - 1};
      float values[FloatSource::block];
      floats_of(desc_, column + c, k, count).read(0, values);
      for (int i = 0; i < count; ++i) out[c][i] = static_cast<std::uint8_t>(q(values[i]) + bias);
    }
    return;
  }
  if (desc_.permutation) {
    for (int c = 0; c < cols; ++c)
      for (int i = 0; i < count; ++i)
        out[c][i] = static_cast<std::uint8_t>((values_.at(desc_.permutation[k + i], column + c) ^ flip) + add);
    return;
  }
  for (const Reader& reader : readers)
    if (reader.layout == values_.layout) return reader.read(values_, column, cols, k, count, flip, add, out);
}

}  // namespace narrow
