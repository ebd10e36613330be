// oneDNN as the rival. Its headers stay in onednn.cpp, which builds against 2.6 and 3.x.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "measure.h"
#include "narrow/isa.h"
#include "narrow/types.h"

namespace bench::onednn {

/// "2.6.3"
std::string version();

/// Gives oneDNN the same threads and the same instruction-set cap as narrow; before its first use. Throws
/// std::runtime_error where it cannot be held to the number of threads.
void configure(int threads, narrow::Tier tier, bool capped);

/// C[m,n] = A[m,k] B[k,n] with raw row-major A and C. B is handed over as raw s8 [n,k] and rearranged here, before any
/// timing, into the layout that the implementation prefers.
class Matmul {
 public:
  /// a, c: u8 and s32, s8 and s32, or f32 and f32. A is raw u8 or s8 of type `a_raw`; for f32 both are converted.
  Matmul(narrow::Type a, narrow::Type c, std::int64_t m, std::int64_t n, std::int64_t k, narrow::Type a_raw,
         const void* a_data, const void* b_data);
  ~Matmul();
  Matmul(Matmul&&) noexcept;

  const std::string& implementation() const;  ///< oneDNN's name for it, or why there is none.
  /// Nothing to run where there is no implementation, or where it is reference code and would take seconds.
  bool runnable() const;
  Contender contender() const;  ///< Work in MACs.
  const void* c() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bench::onednn
