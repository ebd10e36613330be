// The arithmetic behind the sums, for all tiers with this one's vectors.
#include "kernels/common/epilogue.h"
#include "kernels/common/columns.h"
#include "kernels/neon/simd.h"

namespace narrow {

void neon_prepare(const EpilogueSpec& spec, const ColumnSource& source, StripColumns strip, Columns* columns) {
  prepare<Simd>(spec, source, strip, columns);
}

EpilogueFn neon_epilogue(const EpilogueSpec& spec) { return select_epilogue<Simd>(spec); }

}  // namespace narrow
