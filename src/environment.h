// What the environment of the process asks for. It is read once, at the first call that needs it: a getenv beside another
// thread's setenv is undefined behaviour, and a plan would pay more for it than for all else.
#pragma once

#include "narrow/isa.h"

namespace narrow {

struct Environment {
  Status status;  ///< not ok where NARROW_ISA names no tier
  bool caps;      ///< NARROW_ISA names one
  Tier cap;
  bool verbose;  ///< NARROW_VERBOSE is 1
};

Environment read_environment() noexcept;

/// As it was at the first call. (Tests, which change their environment, read it again into this.)
Environment& environment() noexcept;

}  // namespace narrow
