// What most refusals are.
#pragma once

#include "narrow/status.h"

namespace narrow {

constexpr Status invalid(const char* reason) noexcept { return {Code::invalid_argument, reason}; }

}  // namespace narrow
