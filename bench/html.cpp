#include "report.h"

namespace bench {
namespace {

constexpr const char* style =
    "body{font-family:sans-serif;margin:2em auto;max-width:1300px;padding:0 1em;color:#111;background:#fff}"
    "table{border-collapse:collapse;font-size:13px}th,td{padding:2px 10px;border-bottom:1px solid #ddd;text-align:right}"
    "th{background:#f2f4f7}td.text,th.text{text-align:left}tr.lost td{background:#fde9e7}svg{max-width:100%;height:auto}"
    "p.note{color:#555;font-size:13px}.scroll{overflow-x:auto}";

std::string cell(const std::string& text, bool words = false) {
  return (words ? "<td class=\"text\">" : "<td>") + escape_xml(text) + "</td>";
}
std::string number(double value, const char* pattern = "%.1f") { return cell(value == 0 ? "" : format(pattern, value)); }
std::string quotient(const Series& a, const Series& b) {
  const Stat s = stat(ratio(a, b));
  return number(s.median, "%.2f") + cell(s.median == 0 ? "" : format("%.2f-%.2f", s.low, s.high));
}
std::string yes(bool value) { return value ? "yes" : "NO"; }

std::string rival(const Row& row) {
  return cell(row.onednn_impl + (is_reference(row.onednn_impl) ? " (reference code, left out of the averages)" : ""), true) +
         cell(row.onednn_exact ? yes(*row.onednn_exact) : "", true);
}

std::string product_table(const std::vector<Row>& rows, const std::string& op) {
  std::string out =
      "<div class=\"scroll\"><table><tr><th class=\"text\">shape</th><th>threads</th><th class=\"text\">tier</th>"
      "<th>narrow</th><th>oneDNN int8</th><th>oneDNN f32</th><th>limit</th><th class=\"text\">which</th>"
      "<th>narrow / oneDNN</th><th>quartiles</th><th>narrow / FP32</th><th>quartiles</th><th>% of limit</th>"
      "<th class=\"text\">exact</th><th class=\"text\">oneDNN runs</th><th class=\"text\">exact</th>"
      "<th class=\"text\">its f32</th><th class=\"text\">kernel</th></tr>\n";
  for (const Row& row : rows) {
    if (row.op != op || !row.variant.empty()) continue;
    const bool lost = has_rival(row) && stat(ratio(row.narrow, row.onednn)).median < 1;
    out += std::string(lost ? "<tr class=\"lost\">" : "<tr>") + cell(row.shape, true) + cell(std::to_string(row.threads)) +
           cell(row.tier, true) + number(median_figure(row, row.narrow)) + number(median_figure(row, row.onednn)) +
           number(median_figure(row, row.fp32)) + number(median_figure(row, row.limit)) + cell(row.limit_name, true) +
           quotient(row.narrow, row.onednn) + quotient(row.narrow, row.fp32) +
           number(100 * stat(ratio(row.narrow, row.limit)).median, "%.0f") + cell(yes(row.exact), true) + rival(row) +
           cell(row.fp32_impl, true) + cell(row.kernel, true) + "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string variant_table(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) {
    if (row.variant.empty()) continue;
    out += "<tr>" + cell(row.variant, true) + cell(row.shape, true) + cell(std::to_string(row.threads)) + cell(row.tier, true) +
           number(median_figure(row, row.narrow)) + cell(text(row.unit), true) + quotient(row.narrow, row.base) +
           cell(row.base_name, true) + cell(yes(row.exact), true) + number(median_figure(row, row.onednn)) +
           quotient(row.narrow, row.onednn) + rival(row) + "</tr>\n";
  }
  if (out.empty()) return "";
  return "<h2>Variants and costs</h2>\n<div class=\"scroll\"><table><tr><th class=\"text\">what</th><th "
         "class=\"text\">shape</th>"
         "<th>threads</th><th class=\"text\">tier</th><th>narrow</th><th class=\"text\">unit</th><th>ratio</th>"
         "<th>quartiles</th><th class=\"text\">to</th><th class=\"text\">exact</th><th>oneDNN</th><th>narrow / oneDNN</th>"
         "<th>quartiles</th><th class=\"text\">oneDNN runs</th><th class=\"text\">exact</th></tr>\n" +
         out + "</table></div>\n";
}

}  // namespace

std::string to_html(const std::vector<Row>& rows, const Machine& machine) {
  std::string out =
      std::string(
          "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<title>narrow: measurements</title><style>") +
      style + "</style></head><body>\n<h1>narrow: measurements</h1>\n<p>" +
      escape_xml(machine.cpu + "; " + machine.caches + "; compiled by " + machine.compiler + "; oneDNN " + machine.onednn) +
      "</p>\n<p class=\"note\">GMAC/s; a multiply-accumulate counts once. Rivals take turns of some milliseconds "
      "in one process; ratios are formed within a round, and medians over the rounds are shown with their "
      "quartiles. Shapes are m x n x k. Rows where narrow loses are tinted.</p>\n";
  for (const std::string& op : plotted_ops(rows))
    out += "<h2>" + escape_xml(op) + "</h2>\n" + bar_chart(rows, op, machine) + roofline(rows, op, machine) +
           product_table(rows, op);
  return out + variant_table(rows) + "</body></html>\n";
}

}  // namespace bench
