// Packed weights from inside: what descriptions say, and the steps of packing. src/blob.h has the layout.
#pragma once

#include <algorithm>

#include "narrow/weights.h"
#include "src/bits.h"
#include "src/blob.h"

namespace narrow {

/// Elements of a row of the raw weights, in either order, and from row to row.
inline std::int64_t row_elements(const WeightsDesc& d) { return d.order == Order::nk ? elements_of(d.type, d.k) : d.n; }
inline std::int64_t stride_of(const WeightsDesc& d) { return d.stride ? d.stride : row_elements(d); }

/// A description with what its layout implies, checked but for its arrays; and then those.
Status check_weights(const WeightsDesc& desc, WeightsDesc* out) noexcept;
Status check_weight_values(const WeightsDesc& desc) noexcept;

struct WeightsAccess {
  static const BlobHeader& header(const Weights& w) { return *static_cast<const BlobHeader*>(w.blob_); }
  static BlobSections sections(const Weights& w) { return sections_of(header(w)); }
  static Status packed_size(const WeightsDesc& desc, const Kernel& kernel, std::size_t* bytes);
  /// Packs for a given kernel, dispatched or not (tests pack for all of them).
  static Status pack(const WeightsDesc& desc, const Kernel& kernel, void* buffer, std::size_t bytes, Weights* out,
                     const Parallel& parallel);
  /// The steps of it. The descriptions are checked, but for the values of what is added.
  static Status begin(const WeightsDesc& desc, const Kernel& kernel, void* buffer, std::size_t bytes, WeightsStream* out);
  static Status add(const WeightsDesc& block, const Parallel& parallel, WeightsStream* stream);
  static Status finish(const WeightsStream& stream, Weights* out);
  static Weights view(const void* blob, const BlobHeader& header);
};

}  // namespace narrow
