// Bits: s32 C, beside oneDNN in u8 x s8 and in f32 on the same shape; then what other outputs and inputs cost beside that, and
// the yardstick that published factors are measured with, a naive loop over floats.
#include <algorithm>
#include <iterator>

#include "binary_data.h"
#include "machine_limits.h"
#include "naive.h"
#include "onednn.h"

namespace bench {
namespace {

/// The naive loop over the first rows, as many as take it some milliseconds.
class NaiveRows {
 public:
  explicit NaiveRows(const BinaryData& data)
      : n_(data.n),
        k_(data.k),
        rows_(std::clamp(most_macs / (n_ * k_), std::int64_t{1}, data.m)),
        a_(data.a.as<std::int8_t>(), data.a.as<std::int8_t>() + rows_ * k_),
        b_(data.b.as<std::int8_t>(), data.b.as<std::int8_t>() + n_ * k_),
        c_(static_cast<std::size_t>(rows_ * n_)) {}

  Contender contender() {
    return bench::contender(static_cast<double>(rows_ * n_ * k_),
                            [this] { naive_product(a_.data(), b_.data(), c_.data(), rows_, n_, k_); });
  }
  /// Whether its sums are those of the product's first rows.
  bool equals(const std::byte* c) const { return std::equal(c_.begin(), c_.end(), reinterpret_cast<const std::int32_t*>(c)); }

 private:
  static constexpr std::int64_t most_macs = 3'000'000;
  std::int64_t n_, k_, rows_;
  std::vector<float> a_, b_, c_;
};

std::vector<Row> measure_binary(const Shape& shape, const Settings& settings) {
  const BinaryData data(shape.dims[0], shape.dims[1], shape.dims[2]);
  const narrow::Parallel& parallel = settings.parallel;

  const PackedWeights weights(data.weights(settings.cap()), parallel);
  narrow::GemmDesc s32;
  s32.a = narrow::Type::b1;
  s32.cap = settings.cap();
  narrow::GemmDesc f32 = s32;
  f32.c = narrow::Type::f32;
  narrow::GemmDesc bits = s32;
  bits.c = narrow::Type::b1;
  const std::vector<std::int32_t> thresholds(static_cast<std::size_t>(data.n), 1);
  bits.threshold = thresholds.data();
  narrow::GemmDesc from_f32 = s32;
  from_f32.a = narrow::Type::f32;
  narrow::GemmDesc bytes = s32;
  bytes.a = narrow::Type::s8;
  narrow::WeightsDesc for_bytes = data.weights(settings.cap());
  for_bytes.operand = narrow::Type::s8;
  const PackedWeights weights_for_bytes(for_bytes, parallel);
  const std::vector<float> a_floats(data.a.as<std::int8_t>(), data.a.as<std::int8_t>() + data.m * data.k);
  const struct {
    const char* variant;
    narrow::GemmDesc desc;
    const narrow::Weights& weights;
    const void* a;
  } outputs[] = {{"", s32, weights.view(), data.a_bits.data()},
                 {"f32 out: a scale for each column", f32, weights.view(), data.a_bits.data()},
                 {"bits out: thresholds", bits, weights.view(), data.a_bits.data()},
                 {"f32 in: made bits in the timed region", from_f32, weights.view(), a_floats.data()},
                 {"s8 in, weights of bits", bytes, weights_for_bytes.view(), data.a.data()}};
  std::vector<Product> products;
  products.reserve(std::size(outputs));
  for (const auto& output : outputs) products.emplace_back(output.desc, output.weights, data.m, output.a, parallel);

  const onednn::Weights onednn_b(data.n, data.k, data.b.data());
  const onednn::Matmul int8(narrow::Type::u8, narrow::Type::s32, data.m, narrow::Type::u8, data.a.data(), onednn_b);
  const onednn::Matmul fp32(narrow::Type::f32, narrow::Type::f32, data.m, narrow::Type::s8, data.a.data(), onednn_b);
  ProductLimit limit(binary_peak(settings.tier, parallel), settings.tier, data.m, weights.view().blob(), data.b_bits.size(),
                     parallel);

  NaiveRows naive(data);

  std::vector<Row> rows(std::size(outputs));
  std::vector<Entrant> entrants;
  for (std::size_t i = 0; i < std::size(outputs); ++i) {
    Row& row = rows[i];
    row.op = "binary";
    row.shape = shape.text();
    row.variant = outputs[i].variant;
    row.threads = settings.threads();
    row.tier = narrow::name(products[i].plan().info().tier);
    row.kernel = products[i].plan().info().kernel;
    row.macs = data.macs();
    row.bytes = products[i].bytes(data.b_bits.size());
    entrants.push_back({products[i].contender(), &row.narrow});
  }
  Row beside_naive = rows.front();
  beside_naive.variant = "s32 out, beside a naive f32 loop";
  beside_naive.base_name = "naive f32 loop";
  Row& row = rows.front();
  row.onednn_impl = int8.implementation();
  row.fp32_impl = fp32.implementation();
  if (int8.runnable()) entrants.push_back({int8.contender(), &row.onednn});
  if (fp32.runnable()) entrants.push_back({fp32.contender(), &row.fp32});
  limit.enter(entrants);
  entrants.push_back({naive.contender(), &beside_naive.base});
  measure(entrants, settings.seconds, settings.threads());

  limit.fill_in(row);
  row.exact = data.is_right<std::int32_t>(products[0].row(0));
  rows[1].exact = data.is_right<float>(products[1].row(0));
  rows[2].exact = data.is_right_sign(products[2].row(0));
  for (std::size_t i : {3, 4}) rows[i].exact = data.is_right<std::int32_t>(products[i].row(0));
  for (std::size_t i = 1; i < rows.size(); ++i) {
    rows[i].base = row.narrow;
    rows[i].base_name = "s32 out";
  }
  beside_naive.narrow = row.narrow;
  beside_naive.exact = row.exact && naive.equals(products[0].row(0));
  rows.push_back(beside_naive);
  return rows;
}

}  // namespace

std::vector<Case> binary_cases(const std::vector<Shape>& shapes, const Settings& settings) {
  std::vector<Case> cases;
  for (const Shape& shape : shapes)
    cases.push_back({"binary/" + shape.text(), [shape, &settings] { return measure_binary(shape, settings); }});
  return cases;
}

}  // namespace bench
