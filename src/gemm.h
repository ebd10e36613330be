// A plan, from inside.
#pragma once

#include "narrow/gemm.h"

namespace narrow {

struct Blocking;
struct Kernel;
struct Product;

struct GemmAccess {
  static const Product& product(const Gemm& gemm);
  static Product& product(Gemm& gemm);
  /// What a run checks of everything but A itself.
  static Status check_output(const Gemm& gemm, const GemmArgs& item);
  /// Checks a run of items and its scratch, and cuts up the largest item.
  static Status check_batch(const Gemm& gemm, const GemmArgs* items, int count, const void* scratch, std::size_t bytes,
                            const Parallel& parallel, Blocking* blocking);
  /// Gemm::plan, but for weights of groups of filters, too: as if all of their columns were one product's.
  static Status plan(const GemmDesc& desc, const Weights& weights, Gemm* out);
  /// Plans for the kernel that packed the weights, dispatched or not (tests plan for all of them).
  static Status plan(const GemmDesc& desc, const Weights& weights, const Kernel& kernel, Gemm* out);
};

inline constexpr char too_far[] = "gemm: rows so far apart that their bytes leave 64 bits";

/// Whether a description is right and goes with the weights; whether an item of a planned product is; what of that is not about
/// A.
Status check_plan(const GemmDesc& desc, const Weights& weights, const Kernel& kernel) noexcept;
Status check_item(const GemmDesc& desc, std::int64_t n, const Product& product, const GemmArgs& item) noexcept;
Status check_output(const GemmDesc& desc, std::int64_t n, const Product& product, const GemmArgs& item) noexcept;

}  // namespace narrow
