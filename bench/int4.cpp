// int4: f32 A quantized row by row on the way in, 4-bit B with an f16 scale for each group of k, f32 C; beside narrow's int8,
// and oneDNN in u8 x s8 (without the quantization), in f32 and, where it is new enough, in f32 x s4. Also 4-bit B in whole
// columns times A of 4 and 8 bits, to s32, beside int8 to s32.
//
// Rows that differ only in the size of the groups are measured in the same rounds: what stands beside them is the same for all
// of them. Rows of the same N and K share their weights, ours and oneDNN's.
#include <algorithm>
#include <deque>
#include <optional>

#include "int4_layer.h"
#include "machine_limits.h"

namespace bench {
namespace {

/// One size of groups: a row of the table, and what its variants need.
struct GroupRun {
  std::int64_t group;
  const CheckedWeights& weights;
  Product product;
  onednn::NibbleMatmul onednn;
  ProductLimit limit;
  Series rates, onednn_rates;
};

/// A of integers times B in whole columns.
struct ColumnRun {
  const char* variant;
  Product product;
  Series rates;
};

class Int4Measurement {
 public:
  Int4Measurement(std::int64_t m, const std::vector<std::int64_t>& groups, Int4Layer& layer, const Settings& settings)
      : layer_(layer),
        settings_(settings),
        data_(m, layer.n, layer.k, layer.b),
        a_f32_(data_.a.size() * sizeof(float)),
        int8_(floats(), layer.bytes.packed.view(), m, a_f32_.data(), settings.parallel),
        onednn_int8_(narrow::Type::u8, narrow::Type::s32, m, narrow::Type::u8, data_.a.data(), layer.onednn_b),
        onednn_f32_(narrow::Type::f32, narrow::Type::f32, m, narrow::Type::u8, data_.a.data(), layer.onednn_b) {
    Random(2).fill_floats(a_f32_.as<float>(), data_.a.size(), -4.0f, 4.0f);
    groups_.reserve(groups.size());
    for (std::int64_t group : groups) add_group(group);
    if (layer.k % 2 == 0) add_columns();  // rows of nibbles are whole bytes
  }

  /// The rows of each size of groups; what has no groups goes with the first.
  std::vector<std::vector<Row>> measure() {
    std::vector<Entrant> entrants = {{int8_.contender(), &int8_rates_}};
    for (GroupRun& run : groups_) {
      entrants.push_back({run.product.contender(), &run.rates});
      if (run.onednn.runnable()) entrants.push_back({run.onednn.contender(), &run.onednn_rates});
      run.limit.enter(entrants);
    }
    for (ColumnRun& run : columns_) entrants.push_back({run.product.contender(), &run.rates});
    if (onednn_int8_.runnable()) entrants.push_back({onednn_int8_.contender(), &onednn_int8_rates_});
    if (onednn_f32_.runnable()) entrants.push_back({onednn_f32_.contender(), &onednn_f32_rates_});
    bench::measure(entrants, settings_.seconds, settings_.threads());

    int8_is_right_ = int8_.equals_definition(layer_.bytes.defined.view());
    columns_base_is_right_ = !columns_.empty() && data_.is_right<std::int8_t>(columns_.front().product.row(0));
    if (onednn_int8_.runnable()) onednn_is_right_ = data_.is_right<std::uint8_t>(onednn_int8_.c());
    std::vector<std::vector<Row>> rows;
    for (const GroupRun& run : groups_) rows.push_back(rows_of(run));
    for (std::size_t i = 1; i < columns_.size(); ++i) rows[0].push_back(column_row(rows[0][0], columns_[i]));
    return rows;
  }

 private:
  narrow::GemmDesc floats() const {
    narrow::GemmDesc desc;
    desc.a = desc.c = narrow::Type::f32;
    desc.cap = settings_.cap();
    return desc;
  }

  void add_group(std::int64_t group) {
    const CheckedWeights& weights = layer_.grouped(group);
    const narrow::Weights& b = weights.packed.view();
    groups_.push_back({group,
                       weights,
                       Product(floats(), b, data_.m, a_f32_.data(), settings_.parallel),
                       onednn::NibbleMatmul(data_.m, layer_.n, layer_.k, group),
                       ProductLimit(int4_peak(settings_.tier, settings_.parallel), settings_.tier, data_.m, b.blob(), b.bytes(),
                                    settings_.parallel),
                       {},
                       {}});
  }

  void add_columns() {
    const auto add = [&](const char* variant, narrow::Type a, const PackedWeights& b) {
      narrow::GemmDesc desc;
      desc.a = a;
      desc.cap = settings_.cap();
      columns_.push_back({variant, Product(desc, b.view(), data_.m, data_.a.data(), settings_.parallel), {}});
    };
    columns_.reserve(3);
    add("", narrow::Type::s8, layer_.bytes.packed);  // what the others are compared with
    add("W4A8 columns, s8 -> s32", narrow::Type::s8, layer_.columns.packed);
    add("W4A4 columns, s4 -> s32", narrow::Type::s4, layer_.columns.packed);
  }

  Row row_of(const GroupRun& run) const {
    const narrow::GemmInfo info = run.product.plan().info();
    Row row;
    row.op = "int4";
    row.shape = Shape{"", {data_.m, data_.n, data_.k, run.group}}.text();
    row.threads = settings_.threads();
    row.tier = narrow::name(info.tier);
    row.kernel = info.kernel;
    row.macs = data_.macs();
    row.bytes = run.product.bytes(run.weights.packed.view().bytes());
    row.narrow = run.rates;
    row.onednn = onednn_int8_rates_;
    row.onednn_impl = onednn_int8_.implementation();
    row.onednn_exact = onednn_is_right_;
    row.fp32 = onednn_f32_rates_;
    row.fp32_impl = onednn_f32_.implementation();
    run.limit.fill_in(row);
    row.exact = run.product.equals_definition(run.weights.defined.view());
    return row;
  }

  /// The row once more, beside something else.
  static Row variant(const Row& row, const char* what, const Series& base, const std::string& base_name) {
    Row other = row;
    other.variant = what;
    other.onednn.clear();
    other.onednn_impl.clear();
    other.onednn_exact.reset();
    other.base = base;
    other.base_name = base_name;
    return other;
  }

  std::vector<Row> rows_of(const GroupRun& run) const {
    const Row row = row_of(run);
    std::vector<Row> rows = {row, variant(row, "int4 beside int8, f32 -> f32", int8_rates_, "narrow int8")};
    rows.back().exact &= int8_is_right_;
    if (!run.onednn_rates.empty())
      rows.push_back(variant(row, "int4 beside oneDNN's s4, f32 -> f32", run.onednn_rates,
                             "oneDNN s4 (" + run.onednn.implementation() + ")"));
    if (row.read.empty()) return rows;
    Row reading = variant(row, "weights read", row.read, "read bandwidth");
    reading.unit = Unit::gbytes;
    reading.narrow = scaled(row.narrow, static_cast<double>(run.weights.packed.view().bytes()) / row.macs);
    for (Series* other : {&reading.fp32, &reading.limit, &reading.peak}) other->clear();  // which are no bytes
    rows.push_back(reading);
    return rows;
  }

  Row column_row(const Row& row, const ColumnRun& run) const {
    Row whole = variant(row, run.variant, columns_.front().rates, "narrow int8");
    whole.kernel = run.product.plan().info().kernel;
    whole.bytes = run.product.bytes(layer_.columns.packed.view().bytes());
    whole.narrow = run.rates;
    whole.exact = columns_base_is_right_ && run.product.equals_definition(layer_.columns.defined.view());
    return whole;
  }

  Int4Layer& layer_;
  const Settings& settings_;
  const Int8Data data_;
  const Buffer a_f32_;
  Product int8_;
  const onednn::Matmul onednn_int8_, onednn_f32_;
  std::vector<GroupRun> groups_;
  std::vector<ColumnRun> columns_;
  bool int8_is_right_ = false, columns_base_is_right_ = false;
  std::optional<bool> onednn_is_right_;
  Series int8_rates_, onednn_int8_rates_, onednn_f32_rates_;
};

/// What the shapes that differ only in the size of the groups have in common.
struct Int4Product {
  std::int64_t m, n, k;
  std::map<std::int64_t, std::deque<std::vector<Row>>> measured;  ///< For each size, what its case has still to hand out.
};

// `latest` is the layer of the case before: cases of one layer follow one another.
void measure(Int4Product& product, std::unique_ptr<Int4Layer>& latest, const Settings& settings) {
  if (!latest || latest->n != product.n || latest->k != product.k) {
    latest.reset();  // before there is another
    latest = std::make_unique<Int4Layer>(product.n, product.k, settings.cap(), settings.parallel);
  }
  std::vector<std::int64_t> groups;
  for (const auto& [group, rows] : product.measured) groups.push_back(group);
  std::vector<std::vector<Row>> rows = Int4Measurement(product.m, groups, *latest, settings).measure();
  for (std::size_t i = 0; i < groups.size(); ++i) product.measured[groups[i]].push_back(std::move(rows[i]));
}

}  // namespace

std::vector<Case> int4_cases(const std::vector<Shape>& shapes, const Settings& settings) {
  const auto latest = std::make_shared<std::unique_ptr<Int4Layer>>();
  std::vector<std::shared_ptr<Int4Product>> products;
  std::vector<Case> cases;
  for (const Shape& shape : shapes) {
    const auto& d = shape.dims;
    auto same = std::find_if(products.begin(), products.end(),
                             [&](const auto& one) { return one->m == d[0] && one->n == d[1] && one->k == d[2]; });
    if (same == products.end()) same = products.insert(same, std::make_shared<Int4Product>(Int4Product{d[0], d[1], d[2], {}}));
    const std::shared_ptr<Int4Product> product = *same;
    product->measured.try_emplace(d[3]);
    cases.push_back({"int4/" + shape.text(), [product, latest, group = d[3], &settings] {
                       std::deque<std::vector<Row>>& measured = product->measured.at(group);
                       if (measured.empty()) measure(*product, *latest, settings);
                       std::vector<Row> rows = std::move(measured.front());
                       measured.pop_front();
                       return rows;
                     }});
  }
  return cases;
}

}  // namespace bench
