// Runs instructions that this processor lacks, so that kernels made of them can be tested anywhere. Tests only.
#pragma once

#include <csignal>

namespace narrow::test {

/// While it lives, SIGILL from one of these instructions carries it out instead and goes on behind it:
///
///   VPDPBUSD xmm/ymm              VEX.66.0F38.W0 50    (AVX-VNNI)
///   VPOPCNTD, VPOPCNTQ            EVEX.66.0F38 55      (AVX-512 VPOPCNTDQ; any length, masked, broadcast)
///
/// with register or memory operands. The rest of the kernel needs the processor's own AVX2 or AVX-512. Any other illegal
/// instruction ends the process as it would without it. Linux on x86-64 only; at most one at a time.
class Emulator {
 public:
  Emulator();
  ~Emulator();
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  /// Whether it works here: the operating system gives signal handlers the registers of AVX2.
  bool works() const { return works_; }
  /// Instructions carried out so far.
  static long count();

 private:
  bool works_ = false;
  bool installed_ = false;
  struct sigaction before_ {};
};

}  // namespace narrow::test
