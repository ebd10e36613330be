// narrow_bench: registers every case with Google Benchmark, runs them, and reports the rows.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "narrow/parallel_threads.h"
#include "onednn.h"
#include "options.h"
#include "report.h"

namespace bench {
namespace {

// The rows so far. A repetition (--benchmark_repetitions) of a case adds its rounds to the rows of the first.
class Results {
 public:
  void add(std::vector<Row> rows) {
    for (Row& row : rows) {
      Row* known = find(row);
      if (!known) {
        rows_.push_back(std::move(row));
        continue;
      }
      for (Series Row::*series : {&Row::narrow, &Row::onednn, &Row::fp32, &Row::base, &Row::peak, &Row::read, &Row::limit})
        (known->*series).insert((known->*series).end(), (row.*series).begin(), (row.*series).end());
      known->exact &= row.exact;
    }
  }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  Row* find(const Row& row) {
    for (Row& r : rows_)
      if (r.op == row.op && r.shape == row.shape && r.variant == row.variant) return &r;
    return nullptr;
  }
  std::vector<Row> rows_;
};

// What one call of narrow took, from the work of a call and the rate.
double seconds_of_call(const Row& row) {
  const double work = row.unit == Unit::gmacs ? row.macs : row.unit == Unit::gbytes ? row.bytes : 1;
  return work / stat(row.narrow).median;
}

// One Google Benchmark is one case, and its one iteration the whole interleaved measurement: its time is the median time of a
// call of narrow, its counters are the rivals' figures. Rivals as separate benchmarks would run seconds apart.
// False where the case cannot be measured, after saying why.
bool run_case(benchmark::State& state, const Case& one, Results& results) {
  std::vector<Row> rows;
  try {
    rows = one.measure();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", one.name.c_str(), error.what());
    state.SkipWithError(error.what());
    return false;
  }
  for (auto _ : state) state.SetIterationTime(seconds_of_call(rows.front()));
  const Row& row = rows.front();
  // 0 where there is no such figure: CSV wants the same columns of all.
  const auto count = [&](const char* name, const Series& series, double unit) {
    state.counters[name] = series.empty() ? 0 : stat(series).median / unit;
  };
  count("narrow_gmacs", row.unit == Unit::gmacs ? row.narrow : Series(), 1e9);
  count("narrow_gbytes", row.unit == Unit::gbytes ? row.narrow : Series(), 1e9);
  count("onednn_gmacs", row.onednn, 1e9);
  count("fp32_gmacs", row.fp32, 1e9);
  count("limit_gmacs", row.limit, 1e9);
  count("narrow_over_onednn", ratio(row.narrow, row.onednn), 1);
  state.counters["exact"] = row.exact;
  state.SetLabel(row.onednn_impl);
  results.add(std::move(rows));
  return true;
}

// Shows the rows as a table while they come in.
class TableReporter : public benchmark::BenchmarkReporter {
 public:
  explicit TableReporter(const Results& results) : results_(results) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {
    for (; shown_ < results_.rows().size(); ++shown_) table_.print(results_.rows()[shown_]);
  }
  void Finalize() override { table_.finish(); }

 private:
  const Results& results_;
  std::size_t shown_ = 0;
  Table table_;
};

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << text) || !file.flush()) throw std::runtime_error("cannot write " + path);
  std::fprintf(stderr, "wrote %s\n", path.c_str());
}

void write_reports(const Options& options, const std::vector<Row>& rows) {
  const Machine machine = this_machine();
  write(options.json, to_json(rows, machine));
  write(options.html, to_html(rows, machine));
  for (const std::string& op : plotted_ops(rows)) {
    const std::filesystem::path html(options.html);
    write((html.parent_path() / (html.stem().string() + "-" + op + ".svg")).string(), bar_chart(rows, op, machine));
  }
}

// narrow's tier and oneDNN's cap. NARROW_ISA counts where --isa is not given.
void choose_tier(const Options& options, Settings* settings) {
  narrow::Cap cap;
  if (!options.isa.empty()) {
    narrow::Tier tier;
    if (const narrow::Status s = narrow::tier_from_name(options.isa.c_str(), &tier); !s.ok())
      throw std::runtime_error(std::string("--isa: ") + s.reason);
    if (!narrow::tier_available(tier)) throw std::runtime_error("--isa: this machine has no " + options.isa);
    cap = tier;
  }
  if (const narrow::Status s = narrow::best_tier(cap, &settings->tier); !s.ok()) throw std::runtime_error(s.reason);
  const char* const from_environment = std::getenv("NARROW_ISA");
  const bool capped = !options.isa.empty() || (from_environment && *from_environment);
  onednn::configure(options.threads, settings->tier, capped);
}

int run(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(usage().c_str(), stdout);
      return 0;
    }
  Options options;
  std::string error;
  std::vector<Shape> shapes;
  if (!parse_options(argc, argv, &options, &error)) throw std::runtime_error(error + "\n" + usage());
  if (!read_shapes(options, &shapes, &error)) throw std::runtime_error(error);
  if (shapes.empty()) throw std::runtime_error("no shapes to measure");
  benchmark::Initialize(&argc, argv);
  for (int i = 1; i < argc; ++i)
    if (std::strncmp(argv[i], "--benchmark_", 12) == 0)
      throw std::runtime_error(std::string("unknown option ") + argv[i] + "\n" + usage());

  Settings settings;
  settings.seconds = options.seconds;
  choose_tier(options, &settings);
  narrow::ThreadPool pool(options.threads);
  if (options.threads > 1) settings.parallel = pool.parallel();

  Results results;
  std::vector<Case> cases;
  for (const Op& op : ops) {
    if (options.op.empty() ? !op.from_shapes && !options.shapes_file.empty() : op.name != options.op) continue;
    std::vector<Shape> its_shapes;
    for (const Shape& shape : shapes)
      if (shape.op == op.name) its_shapes.push_back(shape);
    for (Case& one : op.cases(its_shapes, settings)) cases.push_back(std::move(one));
  }
  bool failed = false;
  for (const Case& one : cases)
    benchmark::RegisterBenchmark(one.name.c_str(),
                                 [&](benchmark::State& state) { failed |= !run_case(state, one, results); })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);

  if (options.table) {
    const Machine machine = this_machine();
    std::printf("%s; %s; %s; oneDNN %s\nGMAC/s, medians of interleaved rounds; shapes are m x n x k\n", machine.cpu.c_str(),
                machine.caches.c_str(), machine.compiler.c_str(), machine.onednn.c_str());
    TableReporter reporter(results);
    benchmark::RunSpecifiedBenchmarks(&reporter);
    Table::print_summary(results.rows());
  } else {
    benchmark::RunSpecifiedBenchmarks();
  }
  if (!results.rows().empty()) write_reports(options, results.rows());
  for (const Row& row : results.rows()) failed |= !row.exact;
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "narrow_bench: %s\n", error.what());
    return 2;
  }
}
