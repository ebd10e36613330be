// The arithmetic behind the sums, for all tiers with this one's vectors.
#include "kernels/common/epilogue.h"
#include "kernels/common/columns.h"
#include "kernels/avx2/simd.h"

namespace narrow {

void avx2_prepare(const EpilogueSpec& spec, const ColumnSource& source, StripColumns strip, Columns* columns) {
  prepare<Simd>(spec, source, strip, columns);
}

EpilogueFn avx2_epilogue(const EpilogueSpec& spec) { return select_epilogue<Simd>(spec); }

}  // namespace narrow
