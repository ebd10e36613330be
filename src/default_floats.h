// The floating-point environment that results are defined in: round to nearest, denormals as they are, no exception trapped.
// A host may run with another one (FTZ and DAZ for speed, -ffast-math linked into some library of its, traps of a debugging
// build), often in some of its threads and not in others.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#include <cfenv>
#endif

namespace narrow {

/// Sets that environment for the calling thread where it is not set, and at its end the one that was there before. All tasks
/// hold one (claim.h), and so does each public function that computes with floats outside of them. To look costs 3 ns.
class DefaultFloats {
 public:
  DefaultFloats() noexcept : before_(read()), changed_(!is_default(before_)) {
    if (changed_) set_default();
    keep_order();
  }
  ~DefaultFloats() {
    keep_order();
    if (changed_) write(before_);
  }
  DefaultFloats(const DefaultFloats&) = delete;
  DefaultFloats& operator=(const DefaultFloats&) = delete;

 private:
#if defined(__x86_64__)
  using Control = unsigned;  // MXCSR: its lowest six bits tell what has happened, the others what shall
  static constexpr Control standard = 0x1f80;
  static bool is_default(Control c) noexcept { return (c & 0xffc0) == standard; }
  static void set_default() noexcept { write(standard); }
  static Control read() noexcept { return _mm_getcsr(); }
  static void write(Control c) noexcept { _mm_setcsr(c); }
#elif defined(__aarch64__)
  using Control = std::uint64_t;  // FPCR
  static bool is_default(Control c) noexcept { return c == 0; }
  static void set_default() noexcept { write(0); }
  static Control read() noexcept {
    Control c;
    asm volatile("mrs %0, fpcr" : "=r"(c));
    return c;
  }
  static void write(Control c) noexcept { asm volatile("msr fpcr, %0" : : "r"(c)); }
#else
  using Control = std::fenv_t;
  static bool is_default(const Control&) noexcept { return false; }
  static void set_default() noexcept { std::fesetenv(FE_DFL_ENV); }
  static Control read() noexcept {
    Control c;
    std::fegetenv(&c);
    return c;
  }
  static void write(const Control& c) noexcept { std::fesetenv(&c); }
#endif
  /// Floats come from memory and go there: what the compiler may not move past this, it may not compute beyond it.
  static void keep_order() noexcept { asm volatile("" : : : "memory"); }

  Control before_;
  bool changed_;
};

}  // namespace narrow
