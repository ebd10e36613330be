#include "tests/emulate.h"

#if defined(__linux__) && defined(__x86_64__)

#include <cpuid.h>
#include <setjmp.h>
#include <ucontext.h>

#include <cstdint>
#include <cstring>

namespace narrow::test {
namespace {

volatile long emulated = 0;
volatile sig_atomic_t probing = 0;
sigjmp_buf probe_failed;

/// The registers of an interrupted thread, in the XSAVE area (standard format) of its signal frame.
///
///   0      legacy area: xmm0..15 at 160, 16 bytes each; what the kernel says of the area at 464
///   512    header: XSTATE_BV, the components that are not in their initial state (all zeros, then not stored)
///   CPUID leaf 0xD tells where the others are: 2 upper halves of ymm, 5 opmask, 6 upper halves of zmm0..15, 7 zmm16..31
class Registers {
 public:
  explicit Registers(ucontext_t* context) : context_(context), area_(reinterpret_cast<unsigned char*>(context->uc_mcontext.fpregs)) {}

  /// Whether the frame holds the extended state at all, the upper halves of ymm at least.
  bool extended() const {
    constexpr std::uint32_t magic = 0x46505853;  // FP_XSTATE_MAGIC1
    std::uint32_t found;
    std::uint64_t features;
    if (area_ == nullptr) return false;
    std::memcpy(&found, area_ + 464, sizeof found);
    std::memcpy(&features, area_ + 472, sizeof features);
    return found == magic && (features & 6) == 6;
  }

  std::uint64_t general(int i) const {
    static constexpr int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return static_cast<std::uint64_t>(context_->uc_mcontext.gregs[order[i]]);
  }
  const std::uint8_t* instruction() const { return reinterpret_cast<const std::uint8_t*>(context_->uc_mcontext.gregs[REG_RIP]); }
  void skip(std::int64_t bytes) { context_->uc_mcontext.gregs[REG_RIP] += bytes; }

  std::uint64_t mask(int k) {
    std::uint64_t value;
    std::memcpy(&value, component(5) + 8 * k, sizeof value);
    return value;
  }
  void read(int i, int bytes, void* out) { transfer(i, bytes, [&](unsigned char* at, int from, int n) {
    std::memcpy(static_cast<unsigned char*>(out) + from, at, static_cast<std::size_t>(n)); }); }
  /// Everything above `bytes` becomes zero, as VEX and EVEX instructions leave it.
  void write(int i, int bytes, const void* in) {
    unsigned char whole[64] = {};
    std::memcpy(whole, in, static_cast<std::size_t>(bytes));
    transfer(i, has(6) ? 64 : 32, [&](unsigned char* at, int from, int n) { std::memcpy(at, whole + from, static_cast<std::size_t>(n)); });
  }

 private:
  bool has(int component) const {
    std::uint64_t features;
    std::memcpy(&features, area_ + 472, sizeof features);
    return features >> component & 1;
  }
  /// A component's bytes; from its initial state on, they are stored.
  unsigned char* component(int i) {
    unsigned bytes = 256, offset = 160, c, d;
    if (i >= 2) __cpuid_count(0xd, static_cast<unsigned>(i), bytes, offset, c, d);
    std::uint64_t stored;
    std::memcpy(&stored, area_ + 512, sizeof stored);
    if ((stored >> i & 1) == 0) {
      std::memset(area_ + offset, 0, bytes);
      stored |= std::uint64_t{1} << i;
      std::memcpy(area_ + 512, &stored, sizeof stored);
    }
    return area_ + offset;
  }
  /// body(memory, first byte of the register, bytes) for the pieces that hold register i.
  template <class Body>
  void transfer(int i, int bytes, Body body) {
    if (i >= 16) return body(component(7) + 64 * (i - 16), 0, bytes);
    body(component(1) + 16 * i, 0, 16);
    if (bytes > 16) body(component(2) + 16 * i, 16, 16);
    if (bytes > 32) body(component(6) + 32 * i, 32, 32);
  }

  ucontext_t* context_;
  unsigned char* area_;
};

/// The fields that VEX and EVEX instructions share, from the prefix up to the operands.
struct Instruction {
  int opcode, wide, length;  ///< length: bytes of the vectors
  int reg, vvvv;
  bool evex, broadcast = false, zeroing = false;
  int mask = 0;
  const std::uint8_t* modrm;
  int index_high, base_high, base_top;  ///< X, B (+8) and, for a vector register, X again (+16)
};

/// Only map 0F38 with the prefix 66. Returns false for anything else.
bool decode(const std::uint8_t* p, Instruction* out) {
  Instruction d{};
  if (p[0] == 0xc4) {
    if ((p[1] & 0x1f) != 2 || (p[2] & 3) != 1) return false;
    d.wide = p[2] >> 7;
    d.length = p[2] & 4 ? 32 : 16;
    d.reg = p[1] & 0x80 ? 0 : 8;
    d.vvvv = ~p[2] >> 3 & 15;
    d.index_high = p[1] & 0x40 ? 0 : 8;
    d.base_high = p[1] & 0x20 ? 0 : 8;
    d.opcode = p[3];
    d.modrm = p + 4;
  } else if (p[0] == 0x62) {
    if ((p[1] & 0x0f) != 2 || (p[2] & 7) != 5 || (p[3] & 0x60) == 0x60) return false;
    d.evex = true;
    d.wide = p[2] >> 7;
    d.length = 16 << (p[3] >> 5 & 3);
    d.reg = (p[1] & 0x80 ? 0 : 8) + (p[1] & 0x10 ? 0 : 16);
    d.vvvv = (~p[2] >> 3 & 15) + (p[3] & 8 ? 0 : 16);
    d.index_high = p[1] & 0x40 ? 0 : 8;
    d.base_high = p[1] & 0x20 ? 0 : 8;
    d.base_top = p[1] & 0x40 ? 0 : 16;
    d.broadcast = p[3] & 0x10;
    d.zeroing = p[3] & 0x80;
    d.mask = p[3] & 7;
    d.opcode = p[4];
    d.modrm = p + 5;
  } else {
    return false;
  }
  d.reg += *d.modrm >> 3 & 7;
  *out = d;
  return true;
}

/// Loads the operand of ModRM (a register, or memory of d.length bytes, or one broadcast element of `element` bytes) and returns the
/// first byte behind the instruction.
const std::uint8_t* load_operand(const Instruction& d, int element, Registers& registers, void* out) {
  const std::uint8_t* p = d.modrm;
  const int mod = *p >> 6, rm = *p & 7;
  ++p;
  if (mod == 3) {
    registers.read(rm + d.base_high + d.base_top, d.length, out);
    return p;
  }
  std::uint64_t address = 0;
  bool base = true, relative = false;
  if (rm == 4) {
    const int scale = *p >> 6, index = (*p >> 3 & 7) + d.index_high, sib_base = *p & 7;
    ++p;
    if (index != 4) address += registers.general(index) << scale;
    base = !(sib_base == 5 && mod == 0);
    if (base) address += registers.general(sib_base + d.base_high);
  } else if (rm == 5 && mod == 0) {
    base = false, relative = true;
  } else {
    address += registers.general(rm + d.base_high);
  }
  if (mod == 1) {
    const int unit = !d.evex ? 1 : d.broadcast ? element : d.length;  // disp8 * N
    address += static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int8_t>(*p)) * unit);
    p += 1;
  } else if (mod == 2 || !base) {
    std::int32_t displacement;
    std::memcpy(&displacement, p, sizeof displacement);
    address += static_cast<std::uint64_t>(static_cast<std::int64_t>(displacement));
    p += 4;
  }
  if (relative) address += reinterpret_cast<std::uint64_t>(p);
  const auto* memory = reinterpret_cast<const unsigned char*>(address);
  if (d.broadcast)
    for (int i = 0; i < d.length; i += element) std::memcpy(static_cast<unsigned char*>(out) + i, memory, static_cast<std::size_t>(element));
  else
    std::memcpy(out, memory, static_cast<std::size_t>(d.length));
  return p;
}

bool emulate(Registers& registers) {
  Instruction d;
  const std::uint8_t* begin = registers.instruction();
  if (!registers.extended() || !decode(begin, &d)) return false;
  const bool dot = d.opcode == 0x50 && !d.evex && d.wide == 0;
  const bool popcount = d.opcode == 0x55 && d.evex;
  if (!dot && !popcount) return false;

  alignas(64) unsigned char source[64], result[64];
  const std::uint8_t* end = load_operand(d, d.wide ? 8 : 4, registers, source);
  registers.read(d.reg, d.length, result);
  if (dot) {
    std::uint8_t a[64];
    registers.read(d.vvvv, d.length, a);
    for (int i = 0; i < d.length / 4; ++i) {
      std::uint32_t sum;
      std::memcpy(&sum, result + 4 * i, sizeof sum);
      for (int j = 4 * i; j < 4 * i + 4; ++j) sum += static_cast<std::uint32_t>(a[j] * static_cast<std::int8_t>(source[j]));
      std::memcpy(result + 4 * i, &sum, sizeof sum);
    }
  } else {
    const int element = d.wide ? 8 : 4;
    const std::uint64_t mask = d.mask != 0 ? registers.mask(d.mask) : ~std::uint64_t{0};
    for (int i = 0; i < d.length / element; ++i) {
      std::uint64_t value = 0;
      std::memcpy(&value, source + element * i, static_cast<std::size_t>(element));
      const std::uint64_t bits = static_cast<std::uint64_t>(__builtin_popcountll(value));
      if (mask >> i & 1)
        std::memcpy(result + element * i, &bits, static_cast<std::size_t>(element));
      else if (d.zeroing)
        std::memset(result + element * i, 0, static_cast<std::size_t>(element));
    }
  }
  registers.write(d.reg, d.length, result);
  registers.skip(end - begin);
  return true;
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  Registers registers(static_cast<ucontext_t*>(context));
  if (emulate(registers)) {
    emulated = emulated + 1;
    return;
  }
  if (probing) siglongjmp(probe_failed, 1);
  signal(SIGILL, SIG_DFL);  // the instruction is run again, and ends the process
}

/// vpdpbusd ymm0, ymm1, ymm2, spelled out for assemblers that do not know it. False where the frame lacks what it takes.
bool probe() {
  if (!__builtin_cpu_supports("avx2")) return false;
  std::uint8_t a[32];
  std::int8_t b[32];
  std::int32_t c[8];
  for (int i = 0; i < 32; ++i) a[i] = static_cast<std::uint8_t>(255 - i), b[i] = static_cast<std::int8_t>(i - 128);
  for (int i = 0; i < 8; ++i) c[i] = i;
  probing = 1;
  if (sigsetjmp(probe_failed, 1) != 0) {
    probing = 0;
    return false;
  }
  asm volatile(
      "vmovdqu (%0), %%ymm0\n\t"
      "vmovdqu (%1), %%ymm1\n\t"
      "vmovdqu (%2), %%ymm2\n\t"
      ".byte 0xc4, 0xe2, 0x75, 0x50, 0xc2\n\t"
      "vmovdqu %%ymm0, (%0)\n\t"
      "vzeroupper"
      :
      : "r"(c), "r"(a), "r"(b)
      : "xmm0", "xmm1", "xmm2", "memory");
  probing = 0;
  for (int i = 0; i < 8; ++i) {
    int sum = i;
    for (int j = 4 * i; j < 4 * i + 4; ++j) sum += a[j] * b[j];
    if (c[i] != sum) return false;
  }
  return true;
}

}  // namespace

Emulator::Emulator() {
  struct sigaction action {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  installed_ = sigaction(SIGILL, &action, &before_) == 0;
  works_ = installed_ && probe();
}

Emulator::~Emulator() {
  if (installed_) sigaction(SIGILL, &before_, nullptr);
}

long Emulator::count() { return emulated; }

}  // namespace narrow::test

#else

namespace narrow::test {

Emulator::Emulator() = default;
Emulator::~Emulator() = default;
long Emulator::count() { return 0; }

}  // namespace narrow::test

#endif
