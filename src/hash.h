// A fast 64-bit hash against damage in storage (not against attackers): Fletcher's sums, the one of the words and the one of
// the sums so far, in 8 lanes of 64 bits that take turns. Damage confined to one 8-byte word is always noticed, and so is that
// to two, unless they are an even number of turns apart in one lane and differ in their highest bits alone. Additions only, so
// that vector units of any kind keep up with the cache.
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
  typedef std::uint64_t Pair __attribute__((vector_size(16)));
  constexpr std::size_t pairs = 4, turn = pairs * sizeof(Pair);
  const char* p = static_cast<const char*>(data);
  Pair sum[pairs] = {}, sum_of_sums[pairs] = {};
  const auto take = [&](const char* from) {
    for (std::size_t i = 0; i < pairs; ++i) {
      Pair words;
      std::memcpy(&words, from + i * sizeof words, sizeof words);
      sum[i] += words;
      sum_of_sums[i] += sum[i];
    }
  };
  std::size_t at = 0;
  for (; at + turn <= bytes; at += turn) take(p + at);
  if (at < bytes) {
    char rest[turn] = {};
    std::memcpy(rest, p + at, bytes - at);
    take(rest);
  }
  std::uint64_t h = mix(seed + bytes);
  for (std::size_t i = 0; i < pairs; ++i)
    for (int lane = 0; lane < 2; ++lane) h = mix(mix(h + sum[i][lane]) + sum_of_sums[i][lane]);
  return h;
}

}  // namespace narrow
