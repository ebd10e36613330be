// Memory between guard pages: one byte read or written outside faults at once, instead of passing unseen.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace narrow::test {

/// Where the data lies in its pages: its end (as far as the alignment allows) or its start touches the guard page.
enum class Edge { back, front };

/// Page-granular memory with an inaccessible page on both sides. What the data leaves of its pages holds a pattern that
/// margins_intact() checks.
class Guarded {
 public:
  static constexpr unsigned char pattern = 0xa5;

  Guarded() = default;
  explicit Guarded(std::size_t bytes, std::size_t alignment = 1, Edge edge = Edge::back) : bytes_(bytes) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inner_ = (bytes + page - 1) / page * page;
    void* all = mmap(nullptr, inner_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    all_ = static_cast<unsigned char*>(all);
    page_ = page;
    protect(PROT_READ | PROT_WRITE);
    if (inner_ != 0) std::memset(all_ + page_, pattern, inner_);
    offset_ = edge == Edge::front ? 0 : (inner_ - bytes) / alignment * alignment;
  }
  Guarded(Guarded&& other) noexcept { swap(other); }
  Guarded& operator=(Guarded&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Guarded() {
    if (all_ != nullptr) munmap(all_, inner_ + 2 * page_);
  }

  unsigned char* data() const { return all_ == nullptr ? nullptr : all_ + page_ + offset_; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data());
  }
  std::size_t size() const { return bytes_; }

  void make_read_only() { protect(PROT_READ); }
  void make_writable() { protect(PROT_READ | PROT_WRITE); }

  bool margins_intact() const {
    for (std::size_t i = 0; i < inner_; ++i)
      if ((i < offset_ || i >= offset_ + bytes_) && all_[page_ + i] != pattern) return false;
    return true;
  }

 private:
  void protect(int access) {
    if (inner_ != 0 && mprotect(all_ + page_, inner_, access) != 0) std::abort();
  }
  void swap(Guarded& other) {
    std::swap(all_, other.all_);
    std::swap(page_, other.page_);
    std::swap(inner_, other.inner_);
    std::swap(offset_, other.offset_);
    std::swap(bytes_, other.bytes_);
  }

  unsigned char* all_ = nullptr;
  std::size_t page_ = 0, inner_ = 0, offset_ = 0, bytes_ = 0;
};

/// A guarded copy of `count` values, read-only.
template <class T>
Guarded guarded_copy(const T* values, std::size_t count, Edge edge = Edge::back) {
  Guarded copy(count * sizeof(T), alignof(T), edge);
  if (count != 0) std::memcpy(copy.data(), values, count * sizeof(T));
  copy.make_read_only();
  return copy;
}

/// `count` drawn values in guarded memory, read-only.
template <class T, class Draw>
Guarded guarded_array(std::int64_t count, Draw value, Edge edge = Edge::back) {
  Guarded array(static_cast<std::size_t>(count) * sizeof(T), alignof(T), edge);
  for (std::int64_t i = 0; i < count; ++i) array.as<T>()[i] = value();
  array.make_read_only();
  return array;
}

/// Elements of a matrix that ends with its last row's last element, so that the padding behind that one is not there.
inline std::size_t matrix_elements(std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride) {
  return rows == 0 || cols == 0 ? 0 : static_cast<std::size_t>((rows - 1) * stride + cols);
}

}  // namespace narrow::test
