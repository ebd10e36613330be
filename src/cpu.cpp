#include "src/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#include <unistd.h>
#endif

namespace narrow {
namespace {

void set(Cpu& cpu, Tier tier, bool available) { cpu.tier[static_cast<int>(tier)] = available; }

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);  // leaves r zero where the leaf does not exist
  return r;
}

bool has(unsigned word, unsigned mask) { return (word & mask) == mask; }

/// The register state that the operating system saves on a context switch.
unsigned xcr0() {
  unsigned low, high;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// CPUID's deterministic cache parameters; Intel and AMD use the same format in different leaves.
Caches read_caches() {
  Caches found{};
  const bool intel = cpuid(4).eax & 31;
  for (unsigned i = 0; i < 16; ++i) {
    const Registers r = cpuid(intel ? 4 : 0x8000001D, i);
    const unsigned kind = r.eax & 31, level = r.eax >> 5 & 7;
    if (kind == 0) break;
    if (kind == 2) continue;  // instructions
    const std::size_t bytes = std::size_t{(r.ebx >> 22) + 1} * ((r.ebx >> 12 & 1023) + 1) * ((r.ebx & 4095) + 1) * (r.ecx + 1);
    (level == 1 ? found.l1 : level == 2 ? found.l2 : found.l3) = bytes;
  }
  return found;
}

Cpu detect() {
  Cpu cpu{};
  cpu.caches = read_caches();
  set(cpu, Tier::generic, true);

  const Registers one = cpuid(1), seven = cpuid(7), seven_one = cpuid(7, 1);
  const unsigned state = one.ecx & bit_OSXSAVE ? xcr0() : 0;
  const bool saves_ymm = has(state, 0x06), saves_zmm = has(state, 0xe6);
  const bool avx2 = saves_ymm && has(one.ecx, bit_AVX | bit_FMA | bit_F16C) && has(seven.ebx, bit_AVX2);
  const bool avx512 =
      avx2 && saves_zmm && has(seven.ebx, bit_AVX512F | bit_AVX512CD | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL);
  constexpr unsigned bit_avxvnni = 1u << 4, bit_prefetchw = 1u << 8;
  set(cpu, Tier::avx2, avx2);
  set(cpu, Tier::avxvnni, avx2 && seven.eax >= 1 && has(seven_one.eax, bit_avxvnni));
  set(cpu, Tier::avx512, avx512);
  set(cpu, Tier::avx512vnni, avx512 && has(seven.ecx, bit_AVX512VNNI));
  cpu.asks_to_write = has(cpuid(0x80000001).ecx, bit_prefetchw);
  cpu.vpopcntdq = avx512 && has(seven.ecx, bit_AVX512VPOPCNTDQ);
  // So it is on Zen 5 (1x512x1024 of int8: 189 GMAC/s against 129), and not on Zen 4 (2x512x1024: 152 against 186), which has
  // no AVX-VNNI. Others, unmeasured, are taken for the one or the other by the same sign.
  cpu.one_stream = cpu.tier[static_cast<int>(Tier::avxvnni)];
  // Zen 4 is best not asked for what one row of 4-bit groups takes from memory (1x32000x4096, g128: 54 GMAC/s, unasked 62), nor
  // for what three or four of int8 do (10 to 30 %); Zen 5 gives them 2 to 7 % more.
  cpu.asks = cpu.one_stream || !cpu.tier[static_cast<int>(Tier::avx512vnni)];
  return cpu;
}

#elif defined(__aarch64__)

// From the kernel's asm/hwcap.h, written out so that old headers do not hide what a new kernel reports.
constexpr unsigned long hwcap_asimddp = 1ul << 20, hwcap2_i8mm = 1ul << 13;

Cpu detect() {
  Cpu cpu{};
  // The C library reads these from the kernel where it knows how; zero (unknown) elsewhere, and the blocking has defaults.
  auto bytes = [](int name) {
    const long value = sysconf(name);
    return value > 0 ? static_cast<std::size_t>(value) : 0;
  };
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  cpu.caches = {bytes(_SC_LEVEL1_DCACHE_SIZE), bytes(_SC_LEVEL2_CACHE_SIZE), bytes(_SC_LEVEL3_CACHE_SIZE)};
#endif
  set(cpu, Tier::generic, true);
  set(cpu, Tier::neon, true);
  const bool dotprod = getauxval(AT_HWCAP) & hwcap_asimddp;
  set(cpu, Tier::neon_dotprod, dotprod);
  set(cpu, Tier::neon_i8mm, dotprod && (getauxval(AT_HWCAP2) & hwcap2_i8mm));
  return cpu;
}

#else

Cpu detect() {
  Cpu cpu{};
  set(cpu, Tier::generic, true);
  return cpu;
}

#endif

}  // namespace

const Cpu& cpu() noexcept {
  static const Cpu detected = detect();
  return detected;
}

}  // namespace narrow
