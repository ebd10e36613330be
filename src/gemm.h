// A plan, from inside.
#pragma once

#include "narrow/gemm.h"

namespace narrow {

struct Kernel;
struct Product;

struct GemmAccess {
  static const Product& product(const Gemm& gemm);
  static Product& product(Gemm& gemm);
  /// What a run checks of everything but A itself.
  static Status check_output(const Gemm& gemm, const GemmArgs& item);
  /// Plans for the kernel that packed the weights, dispatched or not (tests plan for all of them).
  static Status plan(const GemmDesc& desc, const Weights& weights, const Kernel& kernel, Gemm* out);
};

}  // namespace narrow
