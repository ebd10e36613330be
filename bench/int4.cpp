// int4: f32 A quantized row by row on the way in, 4-bit B with an f16 scale for each group of k, f32 C; beside narrow's int8,
// and oneDNN in u8 x s8 (without the quantization), in f32 and, where it is new enough, in f32 x s4. Also 4-bit B in whole
// columns times A of 4 and 8 bits, to s32, beside int8 to s32.
#include <optional>

#include "int8_data.h"
#include "machine_limits.h"
#include "onednn.h"

namespace bench {
namespace {

constexpr std::int64_t most_gemv_rows = 4;  // up to here reading B may be what takes the time

/// The nibbles of the int8 product's B (its first half), scales, and A.
struct Int4Data : Int8Data {
  std::int64_t group;
  Buffer a_f32, scales;

  Int4Data(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t group)
      : Int8Data(m, n, k),
        group(group),
        a_f32(a.size() * sizeof(float)),
        scales(static_cast<std::size_t>(n * ((k + group - 1) / group)) * sizeof(std::uint16_t)) {
    Random random(2);
    random.fill_floats(a_f32.as<float>(), a.size(), -4.0f, 4.0f);
    for (std::size_t i = 0; i < scales.size() / sizeof(std::uint16_t); ++i)
      scales.as<std::uint16_t>()[i] = static_cast<std::uint16_t>(0x2000 + random.next() % 0x400);  // 0.0078 to 0.0156
  }

  narrow::WeightsDesc column_weights(narrow::Cap cap) const {
    narrow::WeightsDesc desc = weights(cap);
    desc.type = narrow::Type::s4;
    desc.stride = (k + 1) / 2 * 2;
    return desc;
  }
  narrow::WeightsDesc grouped_weights(narrow::Cap cap) const {
    narrow::WeightsDesc desc = column_weights(cap);
    desc.groups.size = group;
    desc.groups.scale = scales.data();
    desc.groups.scale_type = narrow::Type::f16;
    return desc;
  }

  /// The sampled rows by the scalar definition, each as a product of one row.
  bool equals_definition(const Product& product, narrow::GemmDesc desc, const narrow::WeightsDesc& weights) const {
    desc.cap = narrow::Tier::generic;
    const PackedWeights defined(weights, narrow::serial());
    for (std::int64_t i : sampled_rows()) {
      const auto bytes_of_a = product.args().a_stride *
                              (desc.a == narrow::Type::f32  ? 8
                               : desc.a == narrow::Type::s8 ? 2
                                                            : 1) /
                              2;
      const Product row(desc, defined.view(), 1, static_cast<const char*>(product.args().a) + i * bytes_of_a, narrow::serial());
      if (std::memcmp(row.row(0), product.row(i), product.row_bytes()) != 0) return false;
    }
    return true;
  }
};

std::vector<Row> measure_int4(const Shape& shape, const Settings& settings) {
  const Int4Data data(shape.dims[0], shape.dims[1], shape.dims[2], shape.dims[3]);
  const narrow::Parallel& parallel = settings.parallel;

  narrow::GemmDesc desc;
  desc.a = desc.c = narrow::Type::f32;
  desc.cap = settings.cap();
  const PackedWeights weights(data.grouped_weights(settings.cap()), parallel), weights8(data.weights(settings.cap()), parallel);
  Product product(desc, weights.view(), data.m, data.a_f32.data(), parallel);
  Product product8(desc, weights8.view(), data.m, data.a_f32.data(), parallel);
  // In whole columns, to s32
  narrow::GemmDesc integers;
  integers.cap = settings.cap();
  integers.a = narrow::Type::s8;
  const PackedWeights columns(data.column_weights(settings.cap()), parallel);
  Product w4a8(integers, columns.view(), data.m, data.a.data(), parallel);
  Product w8a8(integers, weights8.view(), data.m, data.a.data(), parallel);
  narrow::GemmDesc nibbles = integers;
  nibbles.a = narrow::Type::s4;
  const bool also_columns = data.group == 32 && data.k % 2 == 0;  // once for a shape; rows of nibbles are whole bytes
  std::optional<Product> w4a4;
  if (also_columns) w4a4.emplace(nibbles, columns.view(), data.m, data.a.data(), parallel);
  const onednn::Matmul int8(narrow::Type::u8, narrow::Type::s32, data.m, data.n, data.k, narrow::Type::u8, data.a.data(),
                            data.b.data());
  const onednn::Matmul fp32(narrow::Type::f32, narrow::Type::f32, data.m, data.n, data.k, narrow::Type::u8, data.a.data(),
                            data.b.data());
  const onednn::NibbleMatmul int4(data.m, data.n, data.k, data.group);
  const Peak peak = int8_peak(settings.tier, parallel);

  Row row;
  row.op = "int4";
  row.shape = shape.text();
  row.threads = settings.threads();
  row.tier = narrow::name(product.plan().info().tier);
  row.kernel = product.plan().info().kernel;
  row.macs = data.macs();
  row.bytes = static_cast<double>(weights.view().bytes()) + 4.0 * static_cast<double>(data.m * (data.n + data.k));
  row.onednn_impl = int8.implementation();
  row.fp32_impl = fp32.implementation();

  Series narrow8, onednn4, one_stream, four_streams, integers8, integers48, integers4;
  std::vector<Entrant> entrants = {
      {product.contender(), &row.narrow}, {peak.loop, &row.peak}, {product8.contender(), &narrow8}};
  if (also_columns) {
    entrants.push_back({w8a8.contender(), &integers8});
    entrants.push_back({w4a8.contender(), &integers48});
    entrants.push_back({w4a4->contender(), &integers4});
  }
  if (int8.runnable()) entrants.push_back({int8.contender(), &row.onednn});
  if (fp32.runnable()) entrants.push_back({fp32.contender(), &row.fp32});
  if (int4.runnable()) entrants.push_back({int4.contender(), &onednn4});
  if (data.m <= most_gemv_rows) {
    const void* blob = weights.view().blob();  // the very bytes that the product reads
    entrants.push_back({read_one_stream(settings.tier, blob, weights.view().bytes(), parallel), &one_stream});
    entrants.push_back({read_four_streams(settings.tier, blob, weights.view().bytes(), parallel), &four_streams});
  }
  measure(entrants, settings.seconds, settings.threads());

  const double macs_of_a_byte = data.macs() / static_cast<double>(weights.view().bytes());
  row.limit = row.peak;
  row.limit_name = peak.name;
  row.read = larger(one_stream, four_streams);
  if (!row.read.empty()) {
    const Series by_reading = scaled(row.read, macs_of_a_byte);
    if (stat(by_reading).median < stat(row.peak).median) row.limit_name = "read";
    row.limit = smaller(row.peak, by_reading);
  }
  row.exact = data.equals_definition(product, desc, data.grouped_weights(narrow::Tier::generic));
  if (int8.runnable()) row.onednn_exact = data.is_right<std::uint8_t>(int8.c());

  Row beside_int8 = row;
  beside_int8.variant = "int4 beside int8, f32 -> f32";
  beside_int8.onednn.clear();
  beside_int8.onednn_impl.clear();
  beside_int8.base = narrow8;
  beside_int8.base_name = "narrow int8";
  std::vector<Row> rows = {row, beside_int8};
  if (!onednn4.empty()) {
    Row beside_onednn = beside_int8;
    beside_onednn.variant = "int4 beside oneDNN's s4, f32 -> f32";
    beside_onednn.base = onednn4;
    beside_onednn.base_name = "oneDNN s4 (" + int4.implementation() + ")";
    rows.push_back(beside_onednn);
  }
  if (also_columns) {
    Row whole = beside_int8;
    whole.base = integers8;
    whole.kernel = w4a4->plan().info().kernel;
    whole.variant = "W4A8 columns, s8 -> s32";
    whole.narrow = integers48;
    whole.exact = data.equals_definition(w4a8, integers, data.column_weights(narrow::Tier::generic));
    rows.push_back(whole);
    whole.variant = "W4A4 columns, s4 -> s32";
    whole.narrow = integers4;
    whole.exact = data.equals_definition(*w4a4, nibbles, data.column_weights(narrow::Tier::generic));
    rows.push_back(whole);
  }
  if (row.read.empty()) return rows;
  Row reading = beside_int8;
  reading.variant = "weights read";
  reading.unit = Unit::gbytes;
  reading.narrow = scaled(row.narrow, 1 / macs_of_a_byte);
  reading.base = row.read;
  reading.base_name = "read bandwidth";
  for (Series* other : {&reading.fp32, &reading.limit, &reading.peak}) other->clear();  // which are no bytes
  rows.push_back(reading);
  return rows;
}

}  // namespace

std::vector<Case> int4_cases(const std::vector<Shape>& shapes, const Settings& settings) {
  std::vector<Case> cases;
  for (const Shape& shape : shapes)
    cases.push_back({"int4/" + shape.text(), [shape, &settings] { return measure_int4(shape, settings); }});
  return cases;
}

}  // namespace bench
