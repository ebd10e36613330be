// What int8 costs beside the arithmetic: packing B, against copying the same bytes, the call itself, and where weights lie.
#include "int8_data.h"
#include "machine_limits.h"

namespace bench {
namespace {

constexpr std::int64_t packed_side = 4096;
constexpr std::int64_t call_side = 4;
constexpr std::int64_t rows_by_pages[] = {1, 16};

Row named(const Settings& settings, Unit unit, const Product& product, const std::string& shape, const char* variant) {
  Row row;
  row.op = "int8_costs";
  row.shape = shape;
  row.variant = variant;
  row.threads = settings.threads();
  row.tier = narrow::name(product.plan().info().tier);
  row.kernel = product.plan().info().kernel;
  row.unit = unit;
  return row;
}

// A product with the packed weights tells whether the packing was right.
bool packs_right(const Int8Data& data, const narrow::Weights& weights, const narrow::GemmDesc& desc) {
  Product product(desc, weights, data.m, data.a.data(), narrow::serial());
  product.run();
  return data.is_right<std::uint8_t>(product.row(0));
}

std::vector<Row> measure_packing(const Settings& settings) {
  const Int8Data data(3, packed_side, packed_side);
  Buffer kn(data.b->size()), copied(data.b->size());
  for (std::int64_t j = 0; j < data.n; ++j)
    for (std::int64_t x = 0; x < data.k; ++x) kn.data()[x * data.n + j] = data.b->data()[j * data.k + x];

  const narrow::WeightsDesc from_nk = data.weights(settings.cap());
  narrow::WeightsDesc from_kn = from_nk;
  from_kn.order = narrow::Order::kn;
  from_kn.data = kn.data();
  const PackedWeights weights(from_nk, settings.parallel);
  narrow::GemmDesc desc;
  desc.cap = settings.cap();
  const Product product(desc, weights.view(), data.m, data.a.data(), settings.parallel);

  Buffer blob_nk(weights.view().bytes()), blob_kn(blob_nk.size());
  narrow::Weights packed_nk, packed_kn;
  const auto packing = [&](const narrow::WeightsDesc& from, const Buffer& to, narrow::Weights* out) {
    return contender(static_cast<double>(data.b->size()), [&settings, &from, &to, out] {
      require(narrow::Weights::pack(from, to.data(), to.size(), out, settings.parallel), "packing");
    });
  };

  const std::string shape = std::to_string(packed_side) + "x" + std::to_string(packed_side);
  Row nk_row = named(settings, Unit::gbytes, product, shape, "packing B from [n,k]");
  Row kn_row = named(settings, Unit::gbytes, product, shape, "packing B from [k,n]");
  Series copying;
  measure({{packing(from_nk, blob_nk, &packed_nk), &nk_row.narrow},
           {packing(from_kn, blob_kn, &packed_kn), &kn_row.narrow},
           {copy(data.b->data(), copied.data(), data.b->size(), settings.parallel), &copying}},
          settings.seconds, settings.threads());
  for (Row* row : {&nk_row, &kn_row}) {
    row->bytes = static_cast<double>(data.b->size());
    row->base = copying;
    row->base_name = "memcpy";
  }
  nk_row.exact = packs_right(data, packed_nk, desc);
  kn_row.exact = packs_right(data, packed_kn, desc);
  return {nk_row, kn_row};
}

std::vector<Row> measure_calls(const Settings& settings) {
  const Int8Data data(call_side, call_side, call_side);
  const PackedWeights weights(data.weights(settings.cap()), settings.parallel);
  narrow::GemmDesc desc;
  desc.cap = settings.cap();
  Product planned(desc, weights.view(), data.m, data.a.data(), settings.parallel);
  const Product once(desc, weights.view(), data.m, data.a.data(), settings.parallel);

  const std::string shape = Shape{"", {call_side, call_side, call_side}}.text();
  Row plan_row = named(settings, Unit::calls, planned, shape, "a call on a plan");
  Row once_row = named(settings, Unit::calls, once, shape, "a one-shot call");
  plan_row.macs = once_row.macs = data.macs();
  plan_row.bytes = once_row.bytes = planned.bytes(data.b->size());

  Contender calling = planned.contender();
  calling.work = 1;
  const Contender one_shot = contender(1, [&] {
    require(narrow::gemm(desc, weights.view(), once.args(), once.scratch().data(), once.scratch().size(), settings.parallel),
            "one-shot call");
  });
  measure({{calling, &plan_row.narrow}, {one_shot, &once_row.narrow}}, settings.seconds, settings.threads());
  plan_row.exact = data.is_right<std::uint8_t>(planned.row(0));
  once_row.exact = data.is_right<std::uint8_t>(once.row(0));
  return {plan_row, once_row};
}

// Products of few rows, whose weights come from beyond the L2 cache, with these in huge pages.
std::vector<Row> measure_pages(const Settings& settings) {
  std::vector<Row> rows;
  for (const std::int64_t m : rows_by_pages) {
    const Int8Data data(m, packed_side, packed_side);
    const PackedWeights standard(data.weights(settings.cap()), settings.parallel);
    const PackedWeights huge(data.weights(settings.cap()), settings.parallel, Pages::huge);
    narrow::GemmDesc desc;
    desc.cap = settings.cap();
    Product in_standard(desc, standard.view(), m, data.a.data(), settings.parallel);
    Product in_huge(desc, huge.view(), m, data.a.data(), settings.parallel);

    const Shape shape{"", {m, packed_side, packed_side}};
    Row row = named(settings, Unit::gmacs, in_huge, shape.text(), "weights in huge pages");
    row.macs = data.macs();
    row.bytes = in_huge.bytes(data.b->size());
    row.base_name = "in standard ones";
    measure({{in_standard.contender(), &row.base}, {in_huge.contender(), &row.narrow}}, settings.seconds, settings.threads());
    row.exact = data.is_right<std::uint8_t>(in_huge.row(0));
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

std::vector<Case> int8_cost_cases(const std::vector<Shape>&, const Settings& settings) {
  return {{"int8_costs/packing", [&settings] { return measure_packing(settings); }},
          {"int8_costs/call", [&settings] { return measure_calls(settings); }},
          {"int8_costs/pages", [&settings] { return measure_pages(settings); }}};
}

}  // namespace bench
