#include <cmath>

#include "report.h"

namespace bench {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += format("\\u%04x", c);
    else
      out += c;
  }
  return out + '"';
}

std::string number(double value) { return std::isfinite(value) && value != 0 ? format("%.6g", value) : "null"; }

// One object, its members in the order in which they were added.
class Object {
 public:
  void raw(const char* name, const std::string& value) { text_ += (text_.empty() ? "" : ", ") + quoted(name) + ": " + value; }
  void string(const char* name, const std::string& value) { raw(name, quoted(value)); }
  void real(const char* name, double value) { raw(name, number(value)); }
  void count(const char* name, double value) { raw(name, value == 0 ? "null" : format("%.0f", value)); }
  void flag(const char* name, bool value) { raw(name, value ? "true" : "false"); }
  /// The median under `name`, the quartiles beside it.
  void spread(const char* name, const Series& series, double unit) {
    const Stat s = stat(series);
    real(name, s.median / unit);
    raw((std::string(name) + "_quartiles").c_str(),
        series.empty() ? "null" : format("[%s, %s]", number(s.low / unit).c_str(), number(s.high / unit).c_str()));
  }
  std::string text() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string object(const Row& row, const Machine& machine) {
  Object o;
  o.string("op", row.op);
  o.string("shape", row.shape);
  o.string("variant", row.variant);
  o.raw("threads", std::to_string(row.threads));
  o.string("tier", row.tier);
  o.string("kernel", row.kernel);
  const Series none;
  const bool gmacs = row.unit == Unit::gmacs;
  o.spread("narrow_gmacs", gmacs ? row.narrow : none, 1e9);
  o.spread("onednn_gmacs", row.onednn, 1e9);
  o.string("onednn_impl", row.onednn_impl);
  o.spread("fp32_gmacs", row.fp32, 1e9);
  o.string("fp32_impl", row.fp32_impl);
  o.spread("limit_gmacs", row.limit, 1e9);
  o.string("limit", row.limit_name);
  o.real("peak_gmacs", stat(row.peak).median / 1e9);
  o.real("read_gbytes", stat(row.read).median / 1e9);
  o.flag("exact", row.exact);
  o.raw("onednn_exact", !row.onednn_exact ? "null" : *row.onednn_exact ? "true" : "false");
  o.flag("onednn_is_reference", is_reference(row.onednn_impl));
  o.spread("narrow_over_onednn", ratio(row.narrow, row.onednn), 1);
  o.spread("narrow_over_fp32", ratio(row.narrow, row.fp32), 1);
  o.spread("narrow_over_limit", ratio(row.narrow, row.limit), 1);
  if (!row.variant.empty()) {
    o.real("value", median_figure(row, row.narrow));
    o.string("unit", text(row.unit));
    o.string("base", row.base_name);
    o.real("base_value", row.base.empty() ? 0 : median_figure(row, row.base));
    o.spread("narrow_over_base", ratio(row.narrow, row.base), 1);
  }
  o.count("macs", row.macs);
  o.count("bytes", row.bytes);
  o.raw("rounds", std::to_string(row.narrow.size()));
  o.string("cpu", machine.cpu);
  o.string("compiler", machine.compiler);
  o.string("onednn_version", machine.onednn);
  return o.text();
}

}  // namespace

std::string to_json(const std::vector<Row>& rows, const Machine& machine) {
  std::string out = "[";
  for (const Row& row : rows) out += (out.size() > 1 ? ",\n  " : "\n  ") + object(row, machine);
  return out + "\n]\n";
}

}  // namespace bench
