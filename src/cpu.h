// What this processor and its operating system can run. Read once, never changed.
#pragma once

#include <cstdint>

#include "narrow/isa.h"

namespace narrow {

struct Cpu {
  bool tier[tier_count];      ///< the hardware and the operating system serve it; whether this build holds it is the registry's
                              ///< matter
  bool vpopcntdq;             ///< which not all machines of the tier avx512vnni have
  bool one_stream;            ///< one stream of loads brings more from the L2 cache than four
  bool asks = true;           ///< loads bring more from memory where it is asked for ahead of time
  bool asks_to_write = true;  ///< memory can be asked for in order to be written
  Caches caches;
};
const Cpu& cpu() noexcept;

/// Bytes of the L2 cache; where the system does not tell, of a small one.
inline std::int64_t l2_bytes() noexcept { return cpu().caches.l2 ? static_cast<std::int64_t>(cpu().caches.l2) : 512 << 10; }

}  // namespace narrow
