// Raw weights of random bytes and scales, for tests of what is packed from them.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/guarded.h"
#include "tests/reference_quantize.h"
#include "tests/rng.h"
#include "tests/tiers.h"

namespace narrow::test {

class RawDataTest : public TierTest {
 protected:
  Guarded bytes(std::size_t count, Edge edge = Edge::back) {
    std::vector<std::uint8_t> v(count);
    for (std::uint8_t& x : v) x = static_cast<std::uint8_t>(rng_.next());
    return guarded_copy(v.data(), v.size(), edge);
  }
  Guarded halves(std::size_t count) {
    std::vector<std::uint16_t> v(count);
    for (std::uint16_t& x : v) x = half();
    return guarded_copy(v.data(), v.size());
  }
  std::uint16_t half() { return encode16(static_cast<float>(rng_.real(-0.02, 0.02)), f16_format); }

  Rng rng_{7};
};

}  // namespace narrow::test
