// The operations that the suite measures. An operation is one file that turns shapes into cases, and a row of the table.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "narrow/isa.h"
#include "narrow/parallel.h"
#include "row.h"
#include "shapes.h"

namespace bench {

/// What holds for the whole run.
struct Settings {
  narrow::Tier tier = narrow::Tier::generic;  ///< The best one under the cap.
  narrow::Parallel parallel;
  double seconds = 1;  ///< Of measuring, for each case.

  narrow::Cap cap() const { return tier; }
  int threads() const { return parallel.threads; }
};

/// One Google Benchmark: what is measured in the same rounds.
struct Case {
  std::string name;                           ///< "int8/128x768x768"
  std::function<std::vector<Row>()> measure;  ///< Throws std::runtime_error where it cannot.
};

struct Op {
  std::string_view name;  ///< What --op takes.
  /// Whether the list of shapes drives it; the others have their own few and run with the default list only.
  bool from_shapes;
  std::vector<Case> (*cases)(const std::vector<Shape>& shapes, const Settings& settings);
};

std::vector<Case> int8_cases(const std::vector<Shape>& shapes, const Settings& settings);
std::vector<Case> int4_cases(const std::vector<Shape>& shapes, const Settings& settings);
std::vector<Case> int8_variant_cases(const std::vector<Shape>& shapes, const Settings& settings);
std::vector<Case> int8_cost_cases(const std::vector<Shape>& shapes, const Settings& settings);
std::vector<Case> conv_binary_cases(const std::vector<Shape>& shapes, const Settings& settings);
std::vector<Case> binary_cases(const std::vector<Shape>& shapes, const Settings& settings);

inline constexpr Op ops[] = {
    {"int8", true, int8_cases},
    {"int4", true, int4_cases},
    {"int8_variants", false, int8_variant_cases},
    {"int8_costs", false, int8_cost_cases},
    {"binary", true, binary_cases},
    {"conv_binary", true, conv_binary_cases},
};

}  // namespace bench
