// A line of the results: what was measured for one shape, whatever the operation.
#pragma once

#include <optional>
#include <string>

#include "measure.h"

namespace bench {

enum class Unit { gmacs, gbytes, calls };  ///< Of the series of a row: MAC/s, bytes/s, calls/s.

struct Row {
  // What
  std::string op, shape;
  std::string variant;  ///< "" for the operation itself; else what differs, compared with `base`.
  int threads = 1;
  std::string tier, kernel;
  Unit unit = Unit::gmacs;
  double macs = 0;   ///< Of one call.
  double bytes = 0;  ///< The operands of one call, each counted once.

  // How fast: work per second, round by round. Empty where there is no such contender.
  Series narrow;
  Series onednn, fp32;  ///< oneDNN in integers and in f32.
  Series base;          ///< What a variant is compared with.
  Series peak;          ///< Multiply-accumulate instructions alone, MAC/s.
  Series read;          ///< Reading the weights alone, bytes/s; measured where it may bind.
  Series limit;         ///< In this row's unit.
  std::string limit_name, base_name;
  std::string onednn_impl, fp32_impl;

  // How right
  bool exact = false;                 ///< narrow's result, compared with the reference.
  std::optional<bool> onednn_exact;
};

/// Where oneDNN has no optimized code for a product it runs its reference code, which is no rival.
inline bool is_reference(const std::string& onednn_impl) { return onednn_impl.find("ref") != std::string::npos; }

/// Whether oneDNN's figure counts in averages and in the list of lost shapes.
inline bool has_rival(const Row& row) { return !row.onednn.empty() && !is_reference(row.onednn_impl); }

/// A rate in the figures people read: GMAC/s, GB/s, ns a call.
inline double figure(Unit unit, double rate) { return unit == Unit::calls ? 1e9 / rate : rate / 1e9; }
inline const char* text(Unit unit) {
  return unit == Unit::calls ? "ns" : unit == Unit::gbytes ? "GB/s" : "GMAC/s";
}

}  // namespace bench
