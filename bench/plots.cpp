// The plots, written as SVG directly so that neither the page nor the README needs anything else.
#include <algorithm>
#include <cmath>

#include "report.h"

namespace bench {
namespace {

constexpr const char* narrow_colour = "#1f5fbf";
constexpr const char* onednn_colour = "#e69f00";
constexpr const char* fp32_colour = "#9aa0a6";
constexpr const char* limit_colour = "#111111";

std::vector<const Row*> rows_of(const std::vector<Row>& rows, const std::string& op) {
  std::vector<const Row*> out;
  for (const Row& row : rows)
    if (row.op == op && row.variant.empty()) out.push_back(&row);
  return out;
}

class Svg {
 public:
  Svg(double width, double height) {
    text_ = format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
                   "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                   width, height, width, height);
  }
  void rect(double x, double y, double w, double h, const char* fill, const std::string& hint = "") {
    text_ += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\">", x, y, w, h, fill) +
             title(hint) + "</rect>\n";
  }
  void circle(double x, double y, double r, const char* fill, const char* stroke, const std::string& hint) {
    text_ += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" stroke=\"%s\">", x, y, r, fill, stroke) +
             title(hint) + "</circle>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char* stroke, double width) {
    text_ += format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", x1, y1,
                    x2, y2, stroke, width);
  }
  void text(double x, double y, const std::string& what, const char* anchor = "start", double angle = 0, int size = 11) {
    text_ += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\"", x, y, anchor, size);
    if (angle != 0) text_ += format(" transform=\"rotate(%.0f %.1f %.1f)\"", angle, x, y);
    text_ += '>';
    text_ += escape_xml(what) + "</text>\n";
  }
  std::string done() const { return text_ + "</svg>\n"; }

 private:
  static std::string title(const std::string& hint) {
    return hint.empty() ? "" : "<title>" + escape_xml(hint) + "</title>";
  }
  std::string text_;
};

// 1, 2 or 5 times a power of ten: about `count` steps up to `largest`.
double tick_step(double largest, int count) {
  const double raw = largest / count, power = std::pow(10, std::floor(std::log10(raw)));
  return power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
}

void legend(Svg& svg, double x, double y, const char* colour, const char* what) {
  svg.rect(x, y - 9, 10, 10, colour);
  svg.text(x + 14, y, what);
}

std::string heading(const std::string& op, const Row& row) {
  return op + format(" products, GMAC/s, %d thread%s, tier ", row.threads, row.threads == 1 ? "" : "s") + row.tier;
}

std::string hint(const Row& row, const char* who, double value) { return row.shape + format(": %s %.1f GMAC/s", who, value); }

}  // namespace

std::string bar_chart(const std::vector<Row>& all, const std::string& op, const Machine& machine) {
  constexpr double bar = 6, group = 4 * bar, left = 50, right = 20, top = 64, plot = 300, labels = 110;
  const std::vector<const Row*> rows = rows_of(all, op);
  const double width = std::max(640.0, left + group * static_cast<double>(rows.size()) + right);
  Svg svg(width, top + plot + labels);
  double largest = 1;
  for (const Row* row : rows)
    for (const Series* series : {&row->narrow, &row->onednn, &row->fp32, &row->limit})
      largest = std::max(largest, median_figure(*row, *series));
  const auto y = [&](double value) { return top + plot * (1 - value / (1.05 * largest)); };

  svg.text(left, 20, heading(op, *rows.front()), "start", 0, 15);
  svg.text(left, 36, machine.cpu + "; oneDNN " + machine.onednn + "; medians of interleaved rounds");
  legend(svg, left, 54, narrow_colour, "narrow");
  legend(svg, left + 70, 54, onednn_colour, "oneDNN int8");
  legend(svg, left + 165, 54, fp32_colour, "oneDNN f32");
  svg.rect(left + 255, 48, 12, 2.5, limit_colour);
  svg.text(left + 271, 54, "measured limit: multiply instructions, or reading the weights");
  const double step = tick_step(largest, 6);
  for (double value = 0; value <= 1.05 * largest; value += step) {
    svg.line(left, y(value), width - right, y(value), "#dddddd", 1);
    svg.text(left - 6, y(value) + 4, format("%.0f", value), "end");
  }

  double x = left + bar / 2;
  for (const Row* row : rows) {
    double at = x;
    const auto column = [&](const Series& series, const char* colour, const char* who) {
      const double value = median_figure(*row, series);
      if (value > 0) svg.rect(at, y(value), bar - 0.5, y(0) - y(value), colour, hint(*row, who, value));
      at += bar;
    };
    column(row->narrow, narrow_colour, "narrow");
    column(row->onednn, onednn_colour, "oneDNN int8");
    column(row->fp32, fp32_colour, "oneDNN f32");
    if (const double limit = median_figure(*row, row->limit); limit > 0)
      svg.rect(x - 1, y(limit) - 1.2, 3 * bar + 2, 2.4, limit_colour, hint(*row, row->limit_name.c_str(), limit));
    svg.text(x + 1.5 * bar + 3, y(0) + 10, row->shape, "end", -60, 10);
    x += group;
  }
  svg.line(left, y(0), width - right, y(0), "#444444", 1);
  return svg.done();
}

std::string roofline(const std::vector<Row>& all, const std::string& op, const Machine& machine) {
  constexpr double left = 60, right = 30, top = 64, plot_w = 760, plot_h = 400, bottom = 46;
  const std::vector<const Row*> rows = rows_of(all, op);
  Svg svg(left + plot_w + right, top + plot_h + bottom);

  // The axes in powers of ten around the points and the roofs.
  double x_low = 1e9, x_high = 0, y_low = 1e9, y_high = 0;
  const Row *slowest_read = nullptr, *fastest_read = nullptr;
  for (const Row* row : rows) {
    x_low = std::min(x_low, row->macs / row->bytes);
    x_high = std::max(x_high, row->macs / row->bytes);
    for (const Series* series : {&row->narrow, &row->onednn, &row->peak})
      if (const double value = median_figure(*row, *series); value > 0) {
        y_low = std::min(y_low, value);
        y_high = std::max(y_high, value);
      }
    if (row->read.empty()) continue;
    if (!slowest_read || stat(row->read).median < stat(slowest_read->read).median) slowest_read = row;
    if (!fastest_read || stat(row->read).median > stat(fastest_read->read).median) fastest_read = row;
  }
  const auto exponent_below = [](double v) { return std::floor(std::log10(v)); };
  const double x0 = exponent_below(x_low), x1 = std::max(x0 + 1, std::ceil(std::log10(x_high)));
  const double y0 = exponent_below(y_low), y1 = std::max(y0 + 1, std::ceil(std::log10(y_high)));
  const auto x = [&](double v) { return left + plot_w * (std::log10(v) - x0) / (x1 - x0); };
  const auto y = [&](double v) { return top + plot_h * (1 - (std::log10(v) - y0) / (y1 - y0)); };

  svg.text(left, 20, "Roofline: " + heading(op, *rows.front()), "start", 0, 15);
  svg.text(left, 36, machine.cpu + "; every operand counted once");
  legend(svg, left, 54, narrow_colour, "narrow");
  legend(svg, left + 70, 54, onednn_colour, "oneDNN int8");
  for (double e = x0; e <= x1; ++e) {
    svg.line(x(std::pow(10, e)), top, x(std::pow(10, e)), top + plot_h, "#dddddd", 1);
    svg.text(x(std::pow(10, e)), top + plot_h + 16, format("%g", std::pow(10, e)), "middle");
  }
  for (double e = y0; e <= y1; ++e) {
    svg.line(left, y(std::pow(10, e)), left + plot_w, y(std::pow(10, e)), "#dddddd", 1);
    svg.text(left - 6, y(std::pow(10, e)) + 4, format("%g", std::pow(10, e)), "end");
  }
  svg.text(left + plot_w / 2, top + plot_h + 36, "MACs per byte of A, B and C", "middle");
  svg.text(16, top + plot_h / 2, "GMAC/s", "middle", -90);

  std::vector<double> peaks;
  for (const Row* row : rows)
    if (!row->peak.empty()) peaks.push_back(median_figure(*row, row->peak));
  if (!peaks.empty()) {
    const double peak = stat(peaks).median;
    svg.line(left, y(peak), left + plot_w, y(peak), limit_colour, 1.5);
    svg.text(left + plot_w, y(peak) - 5, format("multiply instructions: %.0f", peak), "end");
    for (const Row* row : {slowest_read, fastest_read}) {
      if (!row || (row == fastest_read && row == slowest_read)) continue;
      // From the bottom or left edge up to the peak.
      const double rate = stat(row->read).median / 1e9;
      const double from = std::max(std::pow(10, x0), std::pow(10, y0) / rate), to = peak / rate;
      svg.line(x(from), y(from * rate), x(to), y(peak), "#666666", 1.2);
      const bool is_fastest = row == fastest_read;  // its label goes to the left of its line, the other's to the right
      const double at = std::pow(from, 0.75) * std::pow(to, 0.25);
      svg.text(x(at) + (is_fastest ? -8 : 8), y(at * rate) + (is_fastest ? 0 : 8),
               format("%.0f GB/s (", rate) + row->shape + ")", is_fastest ? "end" : "start");
    }
  }
  for (const Row* row : rows) {
    const double at = x(row->macs / row->bytes);
    if (const double value = median_figure(*row, row->onednn); value > 0)
      svg.circle(at, y(value), 3.2, "none", onednn_colour, hint(*row, "oneDNN int8", value));
    const double value = median_figure(*row, row->narrow);
    svg.circle(at, y(value), 3.2, narrow_colour, narrow_colour, hint(*row, "narrow", value));
  }
  return svg.done();
}

}  // namespace bench
