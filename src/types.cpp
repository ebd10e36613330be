#include "narrow/types.h"

namespace narrow {
namespace {

struct Entry {
  const char* name;
  std::size_t bytes;
};
// Indexed by Type.
constexpr Entry entries[] = {{"none", 0}, {"s32", 4}, {"s8", 1}, {"u8", 1}, {"f32", 4}, {"bf16", 2}, {"f16", 2}, {"s16", 2}};
constexpr unsigned count = sizeof entries / sizeof *entries;

}  // namespace

const char* name(Type type) noexcept {
  const auto i = static_cast<unsigned>(type);
  return i < count ? entries[i].name : "unknown";
}

std::size_t size_of(Type type) noexcept {
  const auto i = static_cast<unsigned>(type);
  return i < count ? entries[i].bytes : 0;
}

}  // namespace narrow
