// A variable of the environment, for a scope; narrow reads its environment again as it begins and ends.
#pragma once

#include <cstdlib>
#include <string>

#include "src/environment.h"

namespace narrow::test {

class ScopedVariable {
 public:
  ScopedVariable(const char* variable, const char* value) : variable_(variable) {
    if (const char* old = std::getenv(variable)) had_ = true, old_ = old;
    set(value);
  }
  ~ScopedVariable() { set(had_ ? old_.c_str() : nullptr); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  void set(const char* value) {
    if (value != nullptr)
      setenv(variable_, value, 1);
    else
      unsetenv(variable_);
    environment() = read_environment();
  }

  const char* variable_;
  bool had_ = false;
  std::string old_;
};

}  // namespace narrow::test
