// Asking for what will be read, ahead of time.
#pragma once

#include "kernels/common/unroll.h"

namespace narrow {
namespace {

/// Asks for a line, for the L1 cache or for none nearer than L2. What comes from beyond L2 comes the faster into L2: L1 waits
/// for few lines at once (24 on Zen 4).
NARROW_INLINE void ask(const void* line, bool to_l2) {
  if (to_l2)
    __builtin_prefetch(line, 0, 2);
  else
    __builtin_prefetch(line, 0, 3);
}

}  // namespace
}  // namespace narrow
