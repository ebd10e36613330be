// A plan, from inside.
#pragma once

#include "narrow/gemm.h"

namespace narrow {

struct Kernel;
struct Product;

struct GemmAccess {
  static const Product& product(const Gemm& gemm);
  /// Plans for the kernel that packed the weights, dispatched or not (tests plan for all of them).
  static Status plan(const GemmDesc& desc, const Weights& weights, const Kernel& kernel, Gemm* out);
};

}  // namespace narrow
