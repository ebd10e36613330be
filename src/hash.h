// A fast 64-bit hash against damage in storage (not against attackers): four lanes of xor and multiply by an odd constant.
// Each step is a bijection of its lane, so damage confined to one 8-byte word is always noticed.
#pragma once

#include <cstdint>
#include <cstring>

namespace narrow {

inline std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

/// `bytes` is a multiple of 8.
inline std::uint64_t hash(const void* data, std::size_t bytes, std::uint64_t seed) noexcept {
  const char* p = static_cast<const char*>(data);
  std::uint64_t lane[4] = {mix(seed + 1), mix(seed + 2), mix(seed + 3), mix(seed + 4)};
  auto step = [&](std::size_t at, int i) {
    std::uint64_t word;
    std::memcpy(&word, p + at, 8);
    lane[i] = (lane[i] ^ word) * 0x9e3779b97f4a7c15u;
  };
  std::size_t at = 0;
  for (; at + 32 <= bytes; at += 32)
    for (int i = 0; i < 4; ++i) step(at + 8 * i, i);
  for (int i = 0; at < bytes; at += 8, ++i) step(at, i);
  return mix(mix(mix(lane[0] + bytes) + lane[1]) + mix(lane[2] ^ mix(lane[3])));
}

}  // namespace narrow
