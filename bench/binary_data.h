// Operands of a product of bits, as bits and as +1 and -1, and the plain loop that says what is right.
#pragma once

#include "op.h"
#include "product.h"

namespace bench {

struct BinaryData {
  std::int64_t m, n, k;
  Buffer a, b;            ///< A[m,k] and B as [n,k], s8
  Buffer a_bits, b_bits;  ///< likewise, rows of bits

  BinaryData(std::int64_t m, std::int64_t n, std::int64_t k)
      : m(m), n(n), k(k), a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(n * k)) {
    Random random(static_cast<std::uint64_t>(m * 1000003 + n * 1009 + k));
    a_bits = fill(random, m, a);
    b_bits = fill(random, n, b);
  }

  double macs() const { return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }

  narrow::WeightsDesc weights(narrow::Cap cap) const {
    narrow::WeightsDesc desc;
    desc.type = narrow::Type::b1;
    desc.k = k;
    desc.n = n;
    desc.data = b_bits.data();
    desc.cap = cap;
    return desc;
  }

  /// Whether the first row, one in the middle and the last are the sums that the definition asks for.
  template <class C>
  bool is_right(const void* c) const {
    for (std::int64_t i : sampled_rows(m))
      for (std::int64_t j = 0; j < n; ++j) {
        std::int32_t sum = 0;
        for (std::int64_t x = 0; x < k; ++x) sum += a.as<std::int8_t>()[i * k + x] * b.as<std::int8_t>()[j * k + x];
        if (static_cast<const C*>(c)[i * n + j] != static_cast<C>(sum)) return false;
      }
    return true;
  }

  /// Whether the same rows of bits tell which of these sums are positive.
  bool is_right_sign(const void* c) const {
    for (std::int64_t i : sampled_rows(m))
      for (std::int64_t j = 0; j < n; ++j) {
        std::int32_t sum = 0;
        for (std::int64_t x = 0; x < k; ++x) sum += a.as<std::int8_t>()[i * k + x] * b.as<std::int8_t>()[j * k + x];
        const auto byte = static_cast<const unsigned char*>(c)[i * narrow::bit_row_bytes(n) + j / 8];
        if ((byte >> (j % 8) & 1) != (sum > 0)) return false;
      }
    return true;
  }

 private:
  Buffer fill(Random& random, std::int64_t rows, Buffer& values) const {
    const std::int64_t stride = narrow::bit_row_bytes(k);
    Buffer bits(static_cast<std::size_t>(rows * stride));
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t x = 0; x < k; ++x) {
        const bool one = random.next() & 1;
        values.as<std::int8_t>()[i * k + x] = one ? 1 : -1;
        if (one) bits.as<unsigned char>()[i * stride + x / 8] |= static_cast<unsigned char>(1u << (x % 8));
      }
    return bits;
  }
};

}  // namespace bench
