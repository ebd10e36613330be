// Memory for operands, and random values to fill it with.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace bench {

/// What the system is asked to map a buffer in.
enum class Pages { standard, huge };

/// Bytes aligned as narrow asks its buffers to be; the rivals get the same.
class Buffer {
 public:
  static constexpr std::size_t line = 64, huge_page = std::size_t{2} << 20;

  Buffer() = default;
  explicit Buffer(std::size_t bytes, Pages pages = Pages::standard) : bytes_(bytes) {
    if (bytes == 0) return;
    const std::size_t alignment = pages == Pages::huge ? huge_page : line;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
    if (!data_) throw std::bad_alloc();
    // Where there are none, this changes nothing.
    if (pages == Pages::huge) madvise(data_.get(), rounded, MADV_HUGEPAGE);
    std::memset(data_.get(), 0, bytes);  // pages are there before any timing
  }

  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return bytes_; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t bytes_ = 0;
};

/// splitmix64: every bit pattern of the operands' bytes occurs, -128 included, the same in every run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  void fill_bytes(void* data, std::size_t bytes) {
    auto* p = static_cast<std::byte*>(data);
    for (; bytes >= 8; bytes -= 8, p += 8) {
      const std::uint64_t r = next();
      std::memcpy(p, &r, 8);
    }
    const std::uint64_t r = next();
    std::memcpy(p, &r, bytes);
  }
  /// Uniform in [lo, hi).
  void fill_floats(float* data, std::size_t count, float lo, float hi) {
    for (std::size_t i = 0; i < count; ++i) data[i] = lo + (hi - lo) * static_cast<float>(next() >> 40) * 0x1p-24f;
  }

 private:
  std::uint64_t state_;
};

}  // namespace bench
