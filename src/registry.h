// Joins the tiers' tables. Dispatch walks the tiers from the best one under the cap down to generic; within a tier the first
// row that accepts wins.
#pragma once

#include "src/kernel.h"

namespace narrow {

/// Row `index` of a tier, from 0; null beyond the last, so for every index where this build does not hold the tier.
const Kernel* kernel(Tier tier, int index) noexcept;

/// Whether this machine, if it runs the row's tier, has what the row needs beyond it.
bool runs(const Kernel& kernel) noexcept;

/// The first row of the best tier under the cap that serves weights of this type, adds them up in this way, is meant for
/// products of so many n and k (0: for convolutions), and runs here.
Status find_kernel(Cap cap, Type b, Sums sums, std::int64_t n, std::int64_t k, const Kernel** out) noexcept;

/// The row that reads weights packed for this tier and layout; null if this build has none.
const Kernel* find_kernel(Tier tier, Type b, Sums sums, std::uint16_t layout) noexcept;

/// The best tier that this build and machine have.
Tier machine_tier() noexcept;

/// Whether the cap admits the tier.
bool admits(Tier cap, Tier tier) noexcept;

/// The tier named by the cap, NARROW_ISA looked up where it says so.
Status resolve(Cap cap, Tier* out) noexcept;

}  // namespace narrow
