// Status of a call: a code to branch on and a reason to print.
#pragma once

#include <cstdint>

namespace narrow {

enum class Code : std::uint8_t {
  ok = 0,
  invalid_argument,   ///< The caller passed something that has no meaning (a null pointer, a negative size, a NaN scale).
  unsupported,        ///< Meaningful, but no kernel of the tiers in use serves it.
  overflow,           ///< The result could leave the range of an int32 accumulator.
  bad_weights,        ///< A packed blob is damaged, truncated, foreign, or of a layout that no tier in use reads.
  scratch_too_small,  ///< The caller's scratch buffer is smaller than the size query said.
  out_of_memory,      ///< Only from the convenience overloads that allocate.
};

/// What every call returns. `reason` is a static string: never null, never to be freed, "" when ok.
/// narrow throws nothing, aborts nowhere and prints nothing (unless NARROW_VERBOSE asks for it).
struct [[nodiscard]] Status {
  Code code = Code::ok;
  const char* reason = "";

  constexpr bool ok() const noexcept { return code == Code::ok; }
};

}  // namespace narrow
