#include "src/registry.h"

#include <cstring>

#include "src/cpu.h"
#include "src/environment.h"
#include "src/kernel_tables.h"

namespace narrow {
namespace {

struct Entry {
  const char* name;
  KernelTable (*tables[5])();  ///< of int8, of bits, of 4 bits, of groups, of weights of bits; null: not in this build
};

// Indexed by Tier.
constexpr Entry entries[tier_count] = {
    {"generic",
     {generic_kernels, generic_binary_kernels, generic_int4_kernels, generic_group_kernels, generic_bit_weights_kernels}},
#if NARROW_HAVE_AVX2
    {"avx2", {avx2_kernels, avx2_binary_kernels, avx2_int4_kernels, avx2_group_kernels, avx2_bit_weights_kernels}},
#else
    {"avx2", {}},
#endif
#if NARROW_HAVE_AVXVNNI
    {"avxvnni", {avxvnni_kernels, nullptr, avxvnni_int4_kernels, avxvnni_group_kernels, avxvnni_bit_weights_kernels}},
#else
    {"avxvnni", {}},
#endif
#if NARROW_HAVE_AVX512
    {"avx512", {avx512_kernels, avx512_binary_kernels, avx512_int4_kernels, avx512_group_kernels, avx512_bit_weights_kernels}},
#else
    {"avx512", {}},
#endif
#if NARROW_HAVE_AVX512VNNI
    {"avx512vnni",
     {avx512vnni_kernels, avx512vnni_binary_kernels, avx512vnni_int4_kernels, avx512vnni_group_kernels,
      avx512vnni_bit_weights_kernels}},
#else
    {"avx512vnni", {}},
#endif
#if NARROW_HAVE_NEON
    {"neon", {neon_kernels, neon_binary_kernels, neon_int4_kernels, neon_group_kernels, neon_bit_weights_kernels}},
#else
    {"neon", {}},
#endif
#if NARROW_HAVE_NEON_DOTPROD
    {"neon_dotprod",
     {neon_dotprod_kernels, neon_dotprod_binary_kernels, neon_dotprod_int4_kernels, neon_dotprod_group_kernels,
      neon_dotprod_bit_weights_kernels}},
#else
    {"neon_dotprod", {}},
#endif
#if NARROW_HAVE_NEON_I8MM
    {"neon_i8mm", {neon_i8mm_kernels}},
#else
    {"neon_i8mm", {}},
#endif
};

constexpr int best = tier_count - 1;

}  // namespace

const char* name(Tier tier) noexcept {
  const auto i = static_cast<unsigned>(tier);
  return i < tier_count ? entries[i].name : "unknown";
}

Status tier_from_name(const char* text, Tier* out) noexcept {
  if (!text || !out) return {Code::invalid_argument, "tier_from_name: null pointer"};
  for (int i = 0; i < tier_count; ++i)
    if (std::strcmp(text, entries[i].name) == 0) {
      *out = static_cast<Tier>(i);
      return {};
    }
  return {Code::invalid_argument,
          "unknown tier (NARROW_ISA or tier_from_name): use generic, avx2, avxvnni, avx512, avx512vnni, neon, neon_dotprod or "
          "neon_i8mm"};
}

bool tier_available(Tier tier) noexcept {
  const auto i = static_cast<unsigned>(tier);
  return i < tier_count && entries[i].tables[0] && cpu().tier[i];
}

Status resolve(Cap cap, Tier* out) noexcept {
  *out = cap.tier;
  if (!cap.from_environment) {
    if (static_cast<unsigned>(cap.tier) < tier_count) return {};
    return {Code::invalid_argument, "cap: not a tier"};
  }
  const Environment& e = environment();
  *out = e.caps ? e.cap : machine_tier();
  return e.status;
}

Tier machine_tier() noexcept {
  int i = best;
  while (!tier_available(static_cast<Tier>(i))) --i;
  return static_cast<Tier>(i);
}

bool admits(Tier cap, Tier tier) noexcept {
  const bool same_family = (tier >= Tier::neon) == (cap >= Tier::neon);
  return tier_available(tier) && (tier == Tier::generic || (same_family && tier <= cap));
}

Status best_tier(Cap cap, Tier* out) noexcept {
  if (!out) return {Code::invalid_argument, "best_tier: null pointer"};
  Tier limit;
  if (Status s = resolve(cap, &limit); !s.ok()) return s;
  for (int i = best; i >= 0; --i)
    if (admits(limit, static_cast<Tier>(i))) {
      *out = static_cast<Tier>(i);
      return {};
    }
  return {Code::unsupported, "best_tier: no tier"};  // not reached: generic is always available
}

Caches caches() noexcept { return cpu().caches; }

const Kernel* kernel(Tier tier, int index) noexcept {
  const auto i = static_cast<unsigned>(tier);
  if (i >= tier_count) return nullptr;
  for (KernelTable (*table)() : entries[i].tables) {
    if (!table) continue;
    const KernelTable rows = table();
    if (index < rows.count) return &rows.rows[index];
    index -= rows.count;
  }
  return nullptr;
}

bool runs(const Kernel& kernel) noexcept { return kernel.needs == Feature::none || cpu().vpopcntdq; }

Status find_kernel(Cap cap, Type b, Sums sums, std::int64_t n, std::int64_t k, const Kernel** out) noexcept {
  Tier limit;
  if (Status s = resolve(cap, &limit); !s.ok()) return s;
  for (int i = best; i >= 0; --i) {
    const auto tier = static_cast<Tier>(i);
    if (!admits(limit, tier)) continue;
    for (int r = 0; const Kernel* row = kernel(tier, r); ++r)
      if (row->b == b && row->sums == sums && k >= (n < many_columns ? row->few_columns_from_k : row->from_k) && runs(*row)) {
        *out = row;
        return {};
      }
  }
  return {Code::unsupported, "weights: no kernel for this type of weights"};
}

const Kernel* find_kernel(Tier tier, Type b, Sums sums, std::uint16_t layout) noexcept {
  for (int r = 0; const Kernel* row = kernel(tier, r); ++r)
    if (row->b == b && row->sums == sums && row->layout == layout) return row;
  return nullptr;
}

}  // namespace narrow
