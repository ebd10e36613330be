// Weights that are packed once, the simple way. Free of GoogleTest: the fuzzers pack so, too.
#pragma once

#include "narrow/weights.h"
#include "tests/guarded.h"

namespace narrow::test {

/// Packed weights and the memory that they lie in, or why there are none.
struct Packed {
  Guarded blob;
  Weights weights;
  Status status;
};

/// In memory of exactly the size that packed_size says, read-only from then on.
inline Packed packed(const WeightsDesc& desc, const Parallel& parallel = serial()) {
  Packed p;
  std::size_t bytes = 0;
  p.status = Weights::packed_size(desc, &bytes);
  if (!p.status.ok()) return p;
  p.blob = Guarded(bytes, Weights::alignment);
  p.status = Weights::pack(desc, p.blob.data(), bytes, &p.weights, parallel);
  p.blob.make_read_only();
  return p;
}

}  // namespace narrow::test
