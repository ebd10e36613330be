#include "narrow/types.h"

namespace narrow {

const char* name(Type type) noexcept {
  constexpr const char* names[] = {"none", "s32", "s8", "u8", "f32", "bf16",
                                   "f16",  "s16", "b1", "s4", "u4"};  // indexed by Type
  const auto i = static_cast<unsigned>(type);
  return i < sizeof names / sizeof *names ? names[i] : "unknown";
}

}  // namespace narrow
