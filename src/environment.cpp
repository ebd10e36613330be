#include "src/environment.h"

#include <cstdlib>
#include <cstring>

namespace narrow {

Environment read_environment() noexcept {
  Environment e{};
  const char* const cap = std::getenv("NARROW_ISA");
  e.caps = cap && *cap;
  if (e.caps) e.status = tier_from_name(cap, &e.cap);
  const char* const verbose = std::getenv("NARROW_VERBOSE");
  e.verbose = verbose && std::strcmp(verbose, "1") == 0;
  return e;
}

Environment& environment() noexcept {
  static Environment e = read_environment();
  return e;
}

}  // namespace narrow
