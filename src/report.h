// The line that NARROW_VERBOSE=1 asks for, of a run and how long it took.
#pragma once

#include <chrono>

#include "src/driver.h"

namespace narrow {

/// Prints its line when it ends, if the product's plan is verbose.
class Report {
 public:
  /// `what`: of which kind the run is. n is of all groups of a convolution, m of all items.
  Report(const Product& p, const char* what, std::int64_t m, std::int64_t n, std::int64_t items, Type weights,
         int threads) noexcept
      : p_(p), what_(what), m_(m), n_(n), items_(items), weights_(weights), threads_(threads) {
    if (p.verbose) begin_ = std::chrono::steady_clock::now();
  }
  ~Report() {
    if (p_.verbose) print();
  }
  Report(const Report&) = delete;

 private:
  void print() const noexcept;

  const Product& p_;
  const char* const what_;
  const std::int64_t m_, n_, items_;
  const Type weights_;
  const int threads_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace narrow
