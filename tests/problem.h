// One product: its operands, what the reference makes of them, and whether narrow makes the same.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/gemm.h"
#include "src/kernel.h"
#include "src/weights.h"
#include "tests/operands.h"
#include "tests/reference.h"

namespace narrow::test {

/// Whether a blob with one byte damaged, any of every seventh, is refused.
void expect_damage_is_noticed(const Weights& weights);

class Problem : public Operands {
 public:
  explicit Problem(const Case& c) : Operands(c) {}

  /// Packs into guarded memory of exactly the size that packed_size says: for the best tier under a cap ...
  [[nodiscard]] Status pack(Cap cap, Weights* out, const Parallel& parallel = serial());
  /// ... or for one kernel row, dispatched or not.
  [[nodiscard]] Status pack(const Kernel& kernel, Weights* out, const Parallel& parallel = serial());
  const Guarded& blob() const { return blob_; }

  /// Makes what C holds now the C that every run begins with.
  void keep_c() {
    initial_c_.assign(c_.data(), c_.data() + c_.size());
    expected_.clear();
  }
  /// C as the reference leaves it. Computed once.
  const std::vector<unsigned char>& expected();
  /// Whether all of C is one value: such a problem would hide most mistakes.
  bool trivial();

  /// Runs the last m rows on a fresh C with scratch memory of exactly the size asked for, and compares every byte.
  testing::AssertionResult check(const Gemm& plan, std::int64_t m, const Parallel& parallel = serial());
  /// Packs, plans and checks: through dispatch ...
  testing::AssertionResult check(Cap cap, const Parallel& parallel = serial());
  /// ... or with one kernel row.
  testing::AssertionResult check(const Kernel& kernel, const Parallel& parallel = serial());
  /// Packs and plans, likewise.
  testing::AssertionResult make_plan(Cap cap, Gemm* out, const Parallel& parallel = serial());
  testing::AssertionResult make_plan(const Kernel& kernel, Gemm* out);

  /// C against the reference in the last m rows, and untouched everywhere else.
  testing::AssertionResult compare(const char* kernel, std::int64_t m);

 private:
  testing::AssertionResult failed(const char* what, Status s) const;
  Status packed(Status s);
  /// Which NaN comes out is the processor's choice.
  bool both_nan(const unsigned char* x, const unsigned char* y) const;
  std::string show(const unsigned char* element) const;

  Guarded blob_;
  std::vector<unsigned char> expected_;
};

}  // namespace narrow::test
