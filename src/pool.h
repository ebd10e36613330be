// Max pool of bits, from inside.
#pragma once

#include "narrow/bits.h"

namespace narrow {

Status check_pool(const PoolWindow& window, std::int64_t h, std::int64_t w) noexcept;

/// Checked pools.
void pool_bits(const PoolWindow& window, const BitImages& images, void* out, std::int64_t out_stride,
               const Parallel& parallel) noexcept;

}  // namespace narrow
