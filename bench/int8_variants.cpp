// What int8's other types, fused epilogues and a second thread cost or gain beside the u8 x s8 -> s32 product.
#include <thread>

#include "int8_data.h"
#include "narrow/parallel_threads.h"
#include "onednn.h"

namespace bench {
namespace {

// A layer of an MLP, one of the smallest and one of the largest products, and a single row.
constexpr std::int64_t sizes[][3] = {{64, 64, 64}, {128, 768, 768}, {128, 3072, 768}, {1024, 1024, 1024}, {1, 4096, 4096}};

struct Variant {
  const char* name;
  narrow::GemmDesc desc;
  const void* a;
};

std::vector<Row> measure_variants(const Shape& shape, const Settings& settings) {
  const std::int64_t m = shape.dims[0], n = shape.dims[1], k = shape.dims[2];
  const Int8Data data(m, n, k);
  Buffer a_f32(data.a.size() * sizeof(float)), scales(static_cast<std::size_t>(n) * sizeof(float)), bias(scales.size());
  Random random(1);
  random.fill_floats(a_f32.as<float>(), data.a.size(), -4.0f, 4.0f);
  random.fill_floats(scales.as<float>(), static_cast<std::size_t>(n), 0.001f, 0.002f);
  random.fill_floats(bias.as<float>(), static_cast<std::size_t>(n), -1.0f, 1.0f);

  narrow::WeightsDesc weights_desc = data.weights(settings.cap());
  weights_desc.scale = scales.as<float>();
  weights_desc.scale_per = narrow::Per::column;
  const PackedWeights weights(weights_desc, settings.parallel);

  narrow::GemmDesc u8_s32;
  u8_s32.cap = settings.cap();
  narrow::GemmDesc s8_s32 = u8_s32;
  s8_s32.a = narrow::Type::s8;
  narrow::GemmDesc dynamic = u8_s32;
  dynamic.a = narrow::Type::f32;
  dynamic.c = narrow::Type::f32;
  narrow::GemmDesc requantized = u8_s32;
  requantized.a_scale = 0.02f;
  requantized.a_zero_point = 128;
  requantized.c = narrow::Type::s8;
  requantized.c_scale = 0.05f;
  requantized.c_zero_point = 3;
  requantized.bias_f32 = bias.as<float>();
  requantized.activation = narrow::Activation::clamp;
  narrow::GemmDesc gelu = requantized;
  gelu.c = narrow::Type::f32;
  gelu.activation = narrow::Activation::gelu;

  constexpr std::size_t plain = 0, s8s8 = 1, quantizing = 2;  // rows that others refer to
  const Variant variants[] = {
      {"u8 x s8 -> s32", u8_s32, data.a.data()},
      {"s8 x s8 -> s32", s8_s32, data.a.data()},
      {"f32 -> f32, dynamic quantization", dynamic, a_f32.data()},
      {"s8 out: per channel, bias, clamp", requantized, data.a.data()},
      {"f32 out: bias, GELU", gelu, data.a.data()},
  };
  constexpr std::size_t count = std::size(variants);

  std::vector<Product> products;
  products.reserve(count + 1);
  for (const Variant& v : variants) products.emplace_back(v.desc, weights.view(), m, v.a, settings.parallel);
  // One more than the processor has would only measure the scheduler.
  const bool second_thread = settings.threads() == 1 && std::thread::hardware_concurrency() >= 2;
  narrow::ThreadPool pool(second_thread ? 2 : 1);
  if (second_thread) products.emplace_back(u8_s32, weights.view(), m, data.a.data(), pool.parallel());

  const onednn::Weights onednn_b(data.n, data.k, data.b->data());
  const onednn::Matmul onednn_u8(narrow::Type::u8, narrow::Type::s32, data.m, narrow::Type::u8, data.a.data(), onednn_b);
  const onednn::Matmul onednn_s8(narrow::Type::s8, narrow::Type::s32, data.m, narrow::Type::s8, data.a.data(), onednn_b);

  std::vector<Row> rows(products.size());
  std::vector<Entrant> entrants;
  for (std::size_t i = 0; i < products.size(); ++i) entrants.push_back({products[i].contender(), &rows[i].narrow});
  if (onednn_u8.runnable()) entrants.push_back({onednn_u8.contender(), &rows[plain].onednn});
  if (onednn_s8.runnable()) entrants.push_back({onednn_s8.contender(), &rows[s8s8].onednn});
  measure(entrants, settings.seconds, settings.threads());

  weights_desc.cap = narrow::Tier::generic;
  const PackedWeights defined(weights_desc, narrow::serial());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Variant& v = variants[i < count ? i : plain];
    const narrow::GemmInfo info = products[i].plan().info();
    Row& row = rows[i];
    row.op = "int8_variants";
    row.shape = shape.text();
    row.variant = i < count ? v.name : "u8 x s8 -> s32, two threads";
    row.threads = i < count ? settings.threads() : 2;
    row.tier = narrow::name(info.tier);
    row.kernel = info.kernel;
    row.macs = data.macs();
    row.bytes = products[i].bytes(data.b->size());
    if (i != plain) {
      const std::size_t base = i == quantizing ? s8s8 : plain;
      row.base = rows[base].narrow;
      row.base_name = variants[base].name;
    }
    row.exact = products[i].equals_definition(defined.view());
  }
  rows[plain].onednn_impl = onednn_u8.implementation();
  rows[s8s8].onednn_impl = onednn_s8.implementation();
  if (onednn_u8.runnable()) rows[plain].onednn_exact = data.is_right<std::uint8_t>(onednn_u8.c());
  if (onednn_s8.runnable()) rows[s8s8].onednn_exact = data.is_right<std::int8_t>(onednn_s8.c());
  return rows;
}

}  // namespace

std::vector<Case> int8_variant_cases(const std::vector<Shape>&, const Settings& settings) {
  std::vector<Case> cases;
  for (const auto& mnk : sizes) {
    const Shape shape{"int8", {mnk[0], mnk[1], mnk[2]}};
    cases.push_back({"int8_variants/" + shape.text(), [shape, &settings] { return measure_variants(shape, settings); }});
  }
  return cases;
}

}  // namespace bench
