// Instruction-set tiers: which ones this machine has, and a cap on them.
#pragma once

#include "narrow/status.h"
#include "narrow/types.h"

namespace narrow {

/// Instruction-set tiers, each one folder of kernels. On x86 a larger value is a better tier, on Arm likewise.
enum class Tier : std::uint8_t {
  generic = 0,       ///< C++ only: the definition of every result.
  avx2 = 1,          ///< AVX2, FMA, F16C.
  avxvnni = 2,       ///< + AVX-VNNI (256-bit VPDPBUSD).
  avx512 = 3,        ///< AVX-512 F, CD, BW, DQ, VL.
  avx512vnni = 4,    ///< + AVX-512 VNNI.
  neon = 5,          ///< AArch64 baseline.
  neon_dotprod = 6,  ///< + SDOT, UDOT.
  neon_i8mm = 7,     ///< + SMMLA, USMMLA.
};
inline constexpr int tier_count = 8;

/// "avx512vnni", ...: the names that NARROW_ISA and tier_from_name accept.
NARROW_API const char* name(Tier tier) noexcept;
/// The tier of that name; an unknown name is invalid_argument, and the reason lists the valid ones.
NARROW_API Status tier_from_name(const char* text, Tier* out) noexcept;

/// Whether this build holds the tier's kernels and this processor and operating system can run them
/// (CPUID and XGETBV, or HWCAP). generic always is.
NARROW_API bool tier_available(Tier tier) noexcept;

/// Which tiers a call may use. There is no global state: a cap travels in the descriptions that take one.
/// The default, `Cap{}`, is what the environment variable NARROW_ISA says at the first call that needs it (the environment is
/// read once): unset or empty means no cap; an unknown name makes calls fail with invalid_argument and a reason that lists the
/// valid names.
/// A cap admits generic, and every available tier of the same processor family whose value is not larger. Capping at a tier
/// that the machine lacks is no error; capping at one of another family leaves generic.
struct Cap {
  bool from_environment = true;
  Tier tier = Tier::generic;

  constexpr Cap() = default;
  constexpr Cap(Tier t) : from_environment(false), tier(t) {}
};

/// The best tier that is available under the cap.
NARROW_API Status best_tier(Cap cap, Tier* out) noexcept;

/// Sizes of the data caches in bytes, as the blocking sees them (0 where the level does not exist or is unknown).
struct Caches {
  std::size_t l1, l2, l3;
};
NARROW_API Caches caches() noexcept;

}  // namespace narrow
