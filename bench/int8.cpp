// int8: u8 A, s8 B, s32 C, beside oneDNN in u8 x s8 and in f32.
#include "int8_data.h"
#include "machine_limits.h"
#include "onednn.h"

namespace bench {
namespace {

std::vector<Row> measure_int8(const Shape& shape, const Settings& settings) {
  const Int8Data data(shape.dims[0], shape.dims[1], shape.dims[2]);
  const narrow::Parallel& parallel = settings.parallel;

  const PackedWeights weights(data.weights(settings.cap()), parallel);
  narrow::GemmDesc desc;
  desc.cap = settings.cap();
  Product product(desc, weights.view(), data.m, data.a.data(), parallel);

  const onednn::Weights onednn_b(data.n, data.k, data.b->data());
  const onednn::Matmul int8(narrow::Type::u8, narrow::Type::s32, data.m, narrow::Type::u8, data.a.data(), onednn_b);
  const onednn::Matmul fp32(narrow::Type::f32, narrow::Type::f32, data.m, narrow::Type::u8, data.a.data(), onednn_b);
  ProductLimit limit(int8_peak(settings.tier, parallel), settings.tier, data.m, weights.view().blob(), data.b->size(),
                     parallel);

  Row row;
  row.op = "int8";
  row.shape = shape.text();
  row.threads = settings.threads();
  row.tier = narrow::name(product.plan().info().tier);
  row.kernel = product.plan().info().kernel;
  row.macs = data.macs();
  row.bytes = product.bytes(data.b->size());
  row.onednn_impl = int8.implementation();
  row.fp32_impl = fp32.implementation();

  std::vector<Entrant> entrants = {{product.contender(), &row.narrow}};
  if (int8.runnable()) entrants.push_back({int8.contender(), &row.onednn});
  if (fp32.runnable()) entrants.push_back({fp32.contender(), &row.fp32});
  limit.enter(entrants);
  measure(entrants, settings.seconds, settings.threads());

  limit.fill_in(row);
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
