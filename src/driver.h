// The loop nest, for every type and every operation: packs A where it must, shares the units out over the threads, walks strips
// and tiles. Untemplated: what differs between types is behind the function pointers of the kernel's row.
#pragma once

#include "src/kernel.h"

namespace narrow {

/// What a plan has resolved for the driver. Plain data.
struct Product {
  const Kernel* kernel;
  EpilogueFn epilogue;
  EpilogueSpec spec;
  ColumnSource columns;  ///< at column 0
  const char* panels;
  std::ptrdiff_t panel_stride;
  std::int64_t k, k_padded, n;
  Type a;
  Dynamic dynamic;
  bool direct;     ///< the tiles' sums are C: kernels store straight into it
  bool must_pack;  ///< A cannot be read in place, whatever its stride
  bool row_sums;   ///< of A are needed (B has zero points)
  bool verbose;
};

/// Bytes of scratch for a product of m rows.
std::size_t scratch_bytes(const Product& product, std::int64_t m, int threads) noexcept;

/// Computes checked products. `scratch` holds at least scratch_bytes(product, largest m, parallel.threads).
void multiply(const Product& product, const GemmArgs* items, int count, void* scratch, std::size_t bytes,
              const Parallel& parallel) noexcept;

}  // namespace narrow
