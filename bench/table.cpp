#include <cstdio>

#include "report.h"

namespace bench {
namespace {

constexpr double clear_loss = 0.98;  // below this a loss is more than the noise

// A figure with three digits or so, "-" where there is none.
std::string number(double value) {
  if (value == 0) return "-";
  return format(value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
}

std::string quotient(const Series& a, const Series& b) {
  if (a.empty() || b.empty()) return "-";
  return format("%.2f", stat(ratio(a, b)).median);
}

std::string quotient_with_spread(const Series& a, const Series& b) {
  if (a.empty() || b.empty()) return "-";
  const Stat s = stat(ratio(a, b));
  return format(s.high < 10 ? "%.2f (%.2f-%.2f)" : "%.1f (%.1f-%.1f)", s.median, s.low, s.high);
}

const char* exactness(const Row& row) { return row.exact ? "yes" : "NO"; }

// "brg:avx512_core_vnni", and what is wrong with its figure.
std::string rival(const Row& row) {
  std::string text = row.onednn_impl;
  if (row.onednn_impl.empty()) return "-";
  if (is_reference(row.onednn_impl)) text += row.onednn.empty() ? " (not measured)" : " (left out of the averages)";
  if (row.onednn_exact && !*row.onednn_exact) text += ", NOT EXACT";
  return text;
}

void print_product(const Row& row) {
  std::printf("%-23s %3d %-12s %7s %7s %7s %7s  %-17s %7s %6s  %-5s  %-22s  %-28s  %s\n", row.shape.c_str(), row.threads,
              row.tier.c_str(), number(median_figure(row, row.narrow)).c_str(), number(median_figure(row, row.onednn)).c_str(),
              number(median_figure(row, row.fp32)).c_str(), number(median_figure(row, row.limit)).c_str(),
              quotient_with_spread(row.narrow, row.onednn).c_str(), quotient(row.narrow, row.fp32).c_str(),
              row.limit.empty() ? "-" : format("%.0f%%", 100 * stat(ratio(row.narrow, row.limit)).median).c_str(),
              exactness(row), row.limit_name.c_str(), rival(row).c_str(), row.fp32.empty() ? "-" : row.fp32_impl.c_str());
}

void print_variant(const Row& row) {
  std::printf("%-34s %-23s %3d %-12s %8s %-6s  %-17s %-16s %-5s  %9s  %s\n", row.variant.c_str(), row.shape.c_str(),
              row.threads, row.tier.c_str(), number(median_figure(row, row.narrow)).c_str(), text(row.unit),
              quotient_with_spread(row.narrow, row.base).c_str(), row.base_name.empty() ? "-" : row.base_name.c_str(),
              exactness(row), quotient(row.narrow, row.onednn).c_str(), rival(row).c_str());
}

void print_list(const char* what, const std::vector<const Row*>& rows) {
  std::printf("%s:", what);
  for (const Row* row : rows) std::printf(" %s", row->shape.c_str());
  std::printf("%s\n", rows.empty() ? " none" : "");
}

}  // namespace

void Table::print(const Row& row) {
  if (row.op != op_with_products_) finish();
  if (row.variant.empty()) op_with_products_ = row.op;
  if (!row.variant.empty() && row.op == op_with_products_)
    waiting_.push_back(row);
  else
    print_now(row);
}

void Table::finish() {
  for (const Row& row : waiting_) print_now(row);
  waiting_.clear();
}

void Table::print_now(const Row& row) {
  const bool product = row.variant.empty();
  const std::string heading = row.op + (product ? "" : ", variants");
  if (heading != last_heading_) {
    std::printf("\n%s\n", row.op.c_str());
    if (product)
      std::printf("%-23s %3s %-12s %7s %7s %7s %7s  %-17s %7s %6s  %-5s  %-22s  %-28s  %s\n", "shape", "thr", "tier", "narrow",
                  "oneDNN", "f32", "limit", "narrow/oneDNN", "n/FP32", "%limit", "exact", "limit is", "oneDNN runs", "its f32");
    else
      std::printf("%-34s %-23s %3s %-12s %8s %-6s  %-17s %-16s %-5s  %9s  %s\n", "what", "shape", "thr", "tier", "narrow", "",
                  "ratio (quartiles)", "to", "exact", "n/oneDNN", "oneDNN runs");
    last_heading_ = heading;
  }
  product ? print_product(row) : print_variant(row);
  std::fflush(stdout);
}

void Table::print_summary(const std::vector<Row>& rows) {
  for (const std::string& op : plotted_ops(rows)) {
    std::vector<double> to_onednn, to_fp32, to_limit;
    std::vector<const Row*> slower, lost, wrong, left_out;
    for (const Row& row : rows) {
      if (row.op != op || !row.variant.empty()) continue;
      if (has_rival(row)) {
        const double r = stat(ratio(row.narrow, row.onednn)).median;
        to_onednn.push_back(r);
        if (r < 1) slower.push_back(&row);
        if (r < clear_loss) lost.push_back(&row);
      } else {
        left_out.push_back(&row);
      }
      if (!row.fp32.empty()) to_fp32.push_back(stat(ratio(row.narrow, row.fp32)).median);
      if (!row.limit.empty()) to_limit.push_back(stat(ratio(row.narrow, row.limit)).median);
      if (!row.exact) wrong.push_back(&row);
    }
    std::printf("\n%s, geometric means: ", op.c_str());
    std::printf("%s x oneDNN int8 (%zu shapes), ", number(geometric_mean(to_onednn)).c_str(), to_onednn.size());
    std::printf("%s x oneDNN f32 (%zu), ", number(geometric_mean(to_fp32)).c_str(), to_fp32.size());
    std::printf("%s %% of the limit (%zu)\n", number(100 * geometric_mean(to_limit)).c_str(), to_limit.size());
    print_list("slower than oneDNN (below 1.00)", slower);
    print_list("slower by more than the noise (below 0.98)", lost);
    if (!left_out.empty()) print_list("without an optimized rival", left_out);
    if (!wrong.empty()) print_list("WRONG RESULTS", wrong);
  }
}

}  // namespace bench
