// int8: u8 A, s8 B, s32 C, beside oneDNN in u8 x s8 and in f32.
#include "int8_data.h"
#include "machine_limits.h"
#include "onednn.h"

namespace bench {
namespace {

constexpr std::int64_t most_gemv_rows = 4;  // up to here reading B may be what takes the time

std::vector<Row> measure_int8(const Shape& shape, const Settings& settings) {
  const Int8Data data(shape.dims[0], shape.dims[1], shape.dims[2]);
  const narrow::Parallel& parallel = settings.parallel;

  const PackedWeights weights(data.weights(settings.cap()), parallel);
  narrow::GemmDesc desc;
  desc.cap = settings.cap();
  Product product(desc, weights.view(), data.m, data.a.data(), parallel);

  const onednn::Matmul int8(narrow::Type::u8, narrow::Type::s32, data.m, data.n, data.k, narrow::Type::u8, data.a.data(),
                            data.b.data());
  const onednn::Matmul fp32(narrow::Type::f32, narrow::Type::f32, data.m, data.n, data.k, narrow::Type::u8,
                            data.a.data(), data.b.data());
  const Peak peak = int8_peak(settings.tier, parallel);

  Row row;
  row.op = "int8";
  row.shape = shape.text();
  row.threads = settings.threads();
  row.tier = narrow::name(product.plan().info().tier);
  row.kernel = product.plan().info().kernel;
  row.macs = data.macs();
  row.bytes = data.bytes(sizeof(std::int32_t));
  row.onednn_impl = int8.implementation();
  row.fp32_impl = fp32.implementation();

  Series one_stream, four_streams;
  std::vector<Entrant> entrants = {{product.contender(), &row.narrow}, {peak.loop, &row.peak}};
  if (int8.runnable()) entrants.push_back({int8.contender(), &row.onednn});
  if (fp32.runnable()) entrants.push_back({fp32.contender(), &row.fp32});
  if (data.m <= most_gemv_rows) {
    const void* blob = weights.view().blob();  // the very bytes that the product reads
    entrants.push_back({read_one_stream(settings.tier, blob, data.b.size(), parallel), &one_stream});
    entrants.push_back({read_four_streams(settings.tier, blob, data.b.size(), parallel), &four_streams});
  }
  measure(entrants, settings.seconds, settings.threads());

  row.limit = row.peak;
  row.limit_name = peak.name;
  row.read = larger(one_stream, four_streams);
  if (!row.read.empty()) {
    const Series by_reading = scaled(row.read, static_cast<double>(data.m));  // every byte of B is used m times
    if (stat(by_reading).median < stat(row.peak).median) row.limit_name = "read";
    row.limit = smaller(row.peak, by_reading);
  }
  row.exact = data.is_right<std::uint8_t>(product.row(0));
  if (int8.runnable()) row.onednn_exact = data.is_right<std::uint8_t>(int8.c());
  return {row};
}

}  // namespace

std::vector<Case> int8_cases(const std::vector<Shape>& shapes, const Settings& settings) {
  std::vector<Case> cases;
  for (const Shape& shape : shapes)
    cases.push_back({"int8/" + shape.text(), [shape, &settings] { return measure_int8(shape, settings); }});
  return cases;
}

}  // namespace bench
