// Operands of an int8 product and the plain loop that says what is right.
#pragma once

#include "op.h"
#include "product.h"

namespace bench {

/// Raw A[m,k] and B as [n,k], every byte random, so u8 and s8 alike over their whole range.
struct Int8Data {
  std::int64_t m, n, k;
  Buffer a;
  std::shared_ptr<const Buffer> b;  ///< Products of other numbers of rows may have it, too.

  Int8Data(std::int64_t m, std::int64_t n, std::int64_t k) : Int8Data(m, n, k, random_b(n, k)) {}
  Int8Data(std::int64_t m, std::int64_t n, std::int64_t k, std::shared_ptr<const Buffer> b)
      : m(m), n(n), k(k), a(static_cast<std::size_t>(m * k)), b(std::move(b)) {
    Random(static_cast<std::uint64_t>(m * 1000003 + n * 1009 + k)).fill_bytes(a.data(), a.size());
  }

  static std::shared_ptr<const Buffer> random_b(std::int64_t n, std::int64_t k) {
    auto b = std::make_shared<Buffer>(static_cast<std::size_t>(n * k));
    Random(static_cast<std::uint64_t>(n * 1009 + k)).fill_bytes(b->data(), b->size());
    return b;
  }

  double macs() const { return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }

  narrow::WeightsDesc weights(narrow::Cap cap) const {
    narrow::WeightsDesc desc;
    desc.k = k;
    desc.n = n;
    desc.data = b->data();
    desc.cap = cap;
    return desc;
  }

  /// Whether the sampled rows of the s32 matrix c are the sums that the definition asks for.
  template <class A>
  bool is_right(const void* c) const {
    for (std::int64_t i : sampled_rows(m)) {
      const A* row = a.as<A>() + i * k;
      for (std::int64_t j = 0; j < n; ++j) {
        const std::int8_t* column = b->as<std::int8_t>() + j * k;
        std::int32_t sum = 0;
        for (std::int64_t x = 0; x < k; ++x) sum += std::int32_t{row[x]} * std::int32_t{column[x]};
        if (static_cast<const std::int32_t*>(c)[i * n + j] != sum) return false;
      }
    }
    return true;
  }
};

}  // namespace bench
