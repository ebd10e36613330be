// What this processor and its operating system can run. Read once, never changed.
#pragma once

#include "narrow/isa.h"

namespace narrow {

struct Cpu {
  bool tier[tier_count];  ///< the hardware and the operating system serve it; whether this build holds it is the registry's
                          ///< matter
  bool vpopcntdq;  ///< which not all machines of the tier avx512vnni have
  Caches caches;
};
const Cpu& cpu() noexcept;

}  // namespace narrow
