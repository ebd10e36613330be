// A floating-point environment as a host may have it, and as no result may show it.
#pragma once

#include <cfenv>
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace narrow::test {

/// Gives the calling thread one that rounds upwards, flushes denormals, and traps all exceptions where the processor can; at
/// its end the default one. An operation on floats in between may end the process.
class HostFloats {
 public:
#if defined(__x86_64__)
  HostFloats() { _mm_setcsr(host); }
  ~HostFloats() { _mm_setcsr(0x1f80); }
  /// Whether what has been called since has left it as it was.
  static bool kept() { return _mm_getcsr() == host; }

 private:
  static constexpr unsigned host = 0x8000 | 0x4000 | 0x0040;  // MXCSR: FTZ, up, DAZ; nothing masked
#elif defined(__aarch64__)
  HostFloats() { write(host); }
  ~HostFloats() { write(0); }
  static bool kept() {
    std::uint64_t c;
    asm volatile("mrs %0, fpcr" : "=r"(c));
    return c == host;
  }

 private:
  static constexpr std::uint64_t host = 1 << 25 | 1 << 24 | 1 << 22;  // FPCR: default NaN, FZ, up
  static void write(std::uint64_t c) { asm volatile("msr fpcr, %0" : : "r"(c)); }
#else
  HostFloats() { std::fesetround(FE_UPWARD); }
  ~HostFloats() { std::fesetround(FE_TONEAREST); }
  static bool kept() { return std::fegetround() == FE_UPWARD; }
#endif
};

}  // namespace narrow::test
