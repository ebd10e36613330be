#include "options.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bench {
namespace {

template <class T>
bool to_number(const std::string& text, T* out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return code == std::errc() && end == text.data() + text.size();
}

std::string op_names() {
  std::string names;
  for (const Op& op : ops) names += (names.empty() ? "" : ", ") + std::string(op.name);
  return names;
}

}  // namespace

std::string usage() {
  std::string lines;
  for (const ShapeFormat& format : shape_formats)
    lines += "                  " + std::string(format.op) + " " + std::string(format.fields) + "\n";
  return "Measures narrow beside oneDNN and beside the limits of the machine.\n"
         "  --shapes FILE   shapes to measure, # starts a comment (default: a built-in list of real layers); lines of\n" +
         lines + "  --op NAME       one operation only: " + op_names() +
         "\n"
         "  --threads N     threads of narrow and of its rivals (default: 1)\n"
         "  --isa TIER      cap narrow and oneDNN alike: avx2, avxvnni, avx512, ... (default: NARROW_ISA, or no cap)\n"
         "  --json FILE     the rows (default: narrow-bench.json beside the program)\n"
         "  --html FILE     the report with its plots (default: beside the JSON); bar charts as .svg beside it\n"
         "Google Benchmark's flags work: --benchmark_filter=REGEX, --benchmark_repetitions=N, --benchmark_min_time=SECONDS\n"
         "(measuring time of each case, default 0.5), --benchmark_format=json|csv|console (instead of the table),\n"
         "--benchmark_out=FILE, --benchmark_list_tests.\n";
}

bool parse_options(int argc, char** argv, Options* out, std::string* error) {
  const auto fail = [&](const std::string& why) {
    *error = why;
    return false;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);

    if (name.rfind("--benchmark_", 0) == 0) {
      const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
      if (name == "--benchmark_format") out->table = false;
      if (name == "--benchmark_min_time") {
        const std::string digits = value.substr(0, value.find_last_not_of('s') + 1);  // "0.5" and newer releases' "0.5s"
        if (!to_number(digits, &out->seconds) || !(out->seconds > 0))
          return fail("--benchmark_min_time: \"" + value + "\" is not a time in seconds");
      }
      continue;
    }

    std::string* text = name == "--shapes" ? &out->shapes_file
                        : name == "--op"   ? &out->op
                        : name == "--isa"  ? &out->isa
                        : name == "--json" ? &out->json
                        : name == "--html" ? &out->html
                                           : nullptr;
    if (!text && name != "--threads") return fail("unknown option " + argument);
    if (equals == std::string::npos && i + 1 >= argc) return fail(name + " needs a value");
    const std::string value = equals == std::string::npos ? argv[++i] : argument.substr(equals + 1);
    if (value.empty()) return fail(name + " needs a value");
    if (text)
      *text = value;
    else if (!to_number(value, &out->threads) || out->threads < 1 || out->threads > 1024)
      return fail("--threads: \"" + value + "\" is not a number from 1 to 1024");
  }

  if (!out->op.empty()) {
    bool known = false;
    for (const Op& op : ops) known |= op.name == out->op;
    if (!known) return fail("--op: unknown operation \"" + out->op + "\" (known: " + op_names() + ")");
  }
  namespace fs = std::filesystem;
  if (out->json.empty()) out->json = (fs::path(argv[0]).parent_path() / "narrow-bench.json").string();
  if (out->html.empty()) out->html = fs::path(out->json).replace_extension(".html").string();
  return true;
}

bool read_shapes(const Options& options, std::vector<Shape>* out, std::string* error) {
  if (options.shapes_file.empty()) return parse_shapes(default_shapes, "default shapes", out, error);
  std::ifstream file(options.shapes_file);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    *error = "cannot read " + options.shapes_file + ", or it is empty";
    return false;
  }
  return parse_shapes(text.str(), options.shapes_file, out, error);
}

}  // namespace bench
