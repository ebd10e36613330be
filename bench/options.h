// The command line. Google Benchmark takes its own --benchmark_* flags first.
#pragma once

#include <string>
#include <vector>

#include "op.h"

namespace bench {

struct Options {
  std::string shapes_file;  ///< "": the default list.
  std::string op;           ///< "": all of them.
  std::string isa;          ///< "": no cap but NARROW_ISA's.
  int threads = 1;
  std::string json, html;   ///< Never empty after parsing.
  double seconds = 0.5;     ///< --benchmark_min_time
  bool table = true;        ///< False where --benchmark_format asks for Google Benchmark's own output instead.
};

std::string usage();

/// Reads what Google Benchmark has no say in; looks at --benchmark_min_time and --benchmark_format without taking them.
/// False with a reason on anything unknown.
bool parse_options(int argc, char** argv, Options* out, std::string* error);

/// The shapes of the run: the default list or the file's.
bool read_shapes(const Options& options, std::vector<Shape>* out, std::string* error);

}  // namespace bench
