#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <fstream>

#include "narrow/isa.h"
#include "onednn.h"

namespace bench {

Machine this_machine() {
  Machine machine;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) {
      machine.cpu = line.substr(line.find(':') + 2);
      break;
    }
  if (machine.cpu.empty()) machine.cpu = "unknown processor";
  const narrow::Caches caches = narrow::caches();
  machine.caches = "L1 " + bytes_text(static_cast<double>(caches.l1)) + ", L2 " +
                   bytes_text(static_cast<double>(caches.l2)) + ", L3 " + bytes_text(static_cast<double>(caches.l3));
#if defined(__clang__)
  machine.compiler = "clang " __clang_version__;
#else
  machine.compiler = "g++ " __VERSION__;
#endif
  machine.onednn = onednn::version();
  return machine;
}

std::vector<std::string> plotted_ops(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows)
    if (row.variant.empty() && std::find(names.begin(), names.end(), row.op) == names.end()) names.push_back(row.op);
  return names;
}

std::string bytes_text(double n) {
  return n >= 1 << 20 ? format("%.3g MiB", n / (1 << 20)) : format("%.3g KiB", n / (1 << 10));
}

std::string format(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string escape_xml(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

double median_figure(const Row& row, const Series& series) {
  return series.empty() ? 0 : figure(row.unit, stat(series).median);
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += std::log(v);
  return values.empty() ? 0 : std::exp(sum / static_cast<double>(values.size()));
}

}  // namespace bench
