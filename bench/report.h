// What becomes of the rows: the table, the JSON, the plots, the HTML page.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "row.h"

namespace bench {

/// What the figures were measured on, for the headings.
struct Machine {
  std::string cpu, caches, compiler, onednn;
};
Machine this_machine();

/// One line for each row, under a heading where the kind of table changes. Variants that an operation has beside its products
/// wait until these are all printed.
class Table {
 public:
  void print(const Row& row);
  /// Prints what still waits.
  void finish();
  /// Geometric means, and the shapes that lose.
  static void print_summary(const std::vector<Row>& rows);

 private:
  void print_now(const Row& row);

  std::string last_heading_, op_with_products_;
  std::vector<Row> waiting_;
};

std::string to_json(const std::vector<Row>& rows, const Machine& machine);

/// Bars for each shape of one operation: narrow, oneDNN, oneDNN f32, and the limit as a line. A whole SVG document.
std::string bar_chart(const std::vector<Row>& rows, const std::string& op, const Machine& machine);
/// GMAC/s over MACs a byte, under the measured roofs.
std::string roofline(const std::vector<Row>& rows, const std::string& op, const Machine& machine);

/// One page with plots and tables, which needs nothing else.
std::string to_html(const std::vector<Row>& rows, const Machine& machine);

/// The operations that have shapes to plot, in the order of the rows.
std::vector<std::string> plotted_ops(const std::vector<Row>& rows);

/// n bytes as "32 KiB", "35.8 MiB".
std::string bytes_text(double n);
/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);
/// The text with &, <, > and quotes as XML entities.
std::string escape_xml(const std::string& text);

/// Median and geometric mean as the reports need them; 0 for what was not measured.
double median_figure(const Row& row, const Series& series);
double geometric_mean(const std::vector<double>& values);

}  // namespace bench
