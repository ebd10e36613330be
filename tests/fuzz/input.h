// What fuzz targets make their problems of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "narrow/parallel.h"
#include "narrow/status.h"
#include "tests/reference_float.h"

namespace narrow::test {

/// Takes the input apart, byte by byte; zeros follow its end.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  int byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::int64_t below(int bound) { return byte() % bound; }
  bool flag() { return byte() & 1; }
  std::uint32_t word() {
    std::uint32_t w = 0;
    for (int i = 0; i < 4; ++i) w = w << 8 | static_cast<std::uint32_t>(byte());
    return w;
  }
  /// Mostly a reasonable scale, sometimes any bits.
  float scale() {
    const int kind = byte();
    return kind < 16 ? from_bits(word()) : static_cast<float>(kind) * 0x1p-7f;
  }
  std::int32_t integer() {
    const int kind = byte();
    return kind < 8 ? static_cast<std::int32_t>(word()) : static_cast<std::int8_t>(byte());
  }
  Parallel parallel() {
    return {static_cast<int>(1 + below(4)),
            [](void*, int tasks, Parallel::Task task, void* argument) {
              for (int i = tasks; i-- > 0;) task(argument, i);
            },
            nullptr};
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

/// A refusal has a reason.
inline void refused(const Status& s) {
  if (*s.reason == '\0') std::abort();
}

}  // namespace narrow::test
