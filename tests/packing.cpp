// pack_a and pack_b against the pictures in src/kernel.h: where each element lies, the sums, the padding.
#include <cstring>
#include <memory>

#include "tests/kernel_rows.h"

namespace narrow::test {
namespace {

class Packing : public TierTest {};
NARROW_FOR_EACH_TIER(Packing);

std::int32_t stored(const Guarded& packed, Type type, std::int64_t i) {
  switch (type) {
    case Type::u8:
      return packed.as<std::uint8_t>()[i];
    case Type::s8:
      return packed.as<std::int8_t>()[i];
    default:
      return packed.as<std::int16_t>()[i];
  }
}

void check_panels(const Kernel& kernel, Order order, int cols, std::int64_t k, bool around_caches, Rng& rng) {
  const Geometry& g = kernel.geometry;
  SCOPED_TRACE(testing::Message() << kernel.name << " order " << int(order) << " cols " << cols << " k " << k
                                  << (around_caches ? " around caches" : ""));
  const PackedB b = pack_columns(kernel, order, cols, k, Fill::random, rng, around_caches);
  ASSERT_TRUE(b.packed.margins_intact());
  for (int j = 0; j < b.panels * g.nr; ++j) {
    std::int32_t sum = 0;
    for (std::int64_t p = 0; p < padded_k(g, k); ++p) {
      const std::int64_t at = j / g.nr * b.stride + (p / g.kr * g.nr + j % g.nr) * g.kr + p % g.kr;
      const std::int32_t expected = j < cols && p < k ? b.values[j * k + p] : 0;
      ASSERT_EQ(stored(b.packed, Type::s8, at), expected) << "column " << j << ", k " << p;
      sum += expected;
    }
    if (j < cols) {
      ASSERT_EQ(b.column_sum[j], sum) << "column " << j;
    }
  }
}

TEST_P(Packing, PanelsOfB) {
  Rng rng(1);
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (bool around_caches : {false, true})
      for (Order order : {Order::nk, Order::kn})
        for (int cols : {1, 2, g.nr - 1, g.nr, g.nr + 1, 2 * g.nr, 3 * g.nr - 1})
          for (std::int64_t k = 1; k <= 2 * g.k_unit + 1; ++k)
            if (cols > 0) check_panels(*kernel, order, cols, k, around_caches, rng);
  }
}

/// Several registers of columns and of steps, and what is left of both.
TEST_P(Packing, ManyPanelsOfB) {
  Rng rng(4);
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    const int wide = 128 / g.nr * g.nr;
    const std::int64_t step = g.kr;
    for (bool around_caches : {false, true})
      for (Order order : {Order::nk, Order::kn})
        for (int cols : {wide - 1, wide, wide + g.nr + 1})
          for (std::int64_t k : {15 * step, 16 * step, 17 * step, 35 * step - 1})
            check_panels(*kernel, order, cols, k, around_caches, rng);
  }
}

TEST_P(Packing, RowsOfA) {
  Rng rng(2);
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (Type type : {Type::u8, Type::s8})
      for (int rows : {1, 2, 3, 5, 8})
        for (std::int64_t k = 1; k <= 4 * g.k_unit + 1; k += k < 2 * g.k_unit + 1 ? 1 : 7) {
          SCOPED_TRACE(testing::Message() << kernel->name << ' ' << name(type) << " rows " << rows << " k " << k);
          const PackedA a = pack_rows(*kernel, type, rows, k, Fill::random, rng);
          ASSERT_TRUE(a.packed.margins_intact());
          for (int i = 0; i < rows; ++i) {
            std::int32_t sum = 0, begin = 0;
            for (std::int64_t p = 0; p < k; ++p) {
              const std::int64_t group = i / g.row_group * g.row_group * padded_k(g, k);
              const std::int64_t at = group + (p / g.kr * g.row_group + i % g.row_group) * g.kr + p % g.kr;
              ASSERT_EQ(stored(a.packed, g.a, at), a.values[i * k + p]) << "row " << i << ", k " << p;
              sum += a.values[i * k + p];
            }
            ASSERT_EQ(a.row_sum[i], sum) << "row " << i;
            if (a.row_begin.empty()) continue;
            const auto value = [&](std::int64_t p) { return p < k ? a.values[i * k + p] : 0; };
            for (std::int64_t p = 0; p < k; p += p % 4 == 1 ? 3 : 1) begin -= value(p) * value(p + 2);
            ASSERT_EQ(a.row_begin[i], begin) << "row " << i;
          }
        }
  }
}

/// What the sums of a column begin with, and its values, widened.
TEST_P(Packing, UnpackedColumns) {
  Rng rng(9);
  for (const Kernel* kernel : rows_of(GetParam())) {
    if (!kernel->unpacking.run) continue;
    const Geometry& g = kernel->unpacking.geometry;
    for (std::int64_t k : {1, 2, 3, 4, 9, 64})
      for (int cols : {1, g.nr, g.nr + 3}) {
        const PackedB packed = pack_columns(*kernel, Order::nk, cols, k, Fill::extremes, rng);
        const PackedB b = unpack_columns(*kernel, packed, k);
        ASSERT_TRUE(b.packed.margins_intact());
        for (int j = 0; j < b.panels * g.nr; ++j) {
          const auto value = [&](std::int64_t p) { return p < k && j < cols ? b.values[j * k + p] : 0; };
          const unsigned char* const panel = b.packed.data() + j / g.nr * b.stride;
          const int c = j % g.nr;
          std::int32_t begin, expected = 0;
          std::memcpy(&begin, panel + 4 * c, 4);
          for (std::int64_t p = 0; p < padded_k(kernel->geometry, k); ++p) {
            std::int16_t widened;
            std::memcpy(&widened, panel + 4 * g.nr + 2 * (p / 2 * 2 * g.nr + 2 * c + p % 2), 2);
            ASSERT_EQ(widened, value(p)) << "column " << j << ", k " << p;
            if (p % 4 < 2) expected -= value(p) * value(p + 2);
          }
          ASSERT_EQ(begin, expected) << "column " << j;
        }
      }
  }
}

/// Float rows: the integers, scales and zero points of the definition, in terms of what the kernel stores.
TEST_P(Packing, FloatRowsOfA) {
  Rng rng(3);
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (Type type : {Type::f32, Type::bf16, Type::f16})
      for (Dynamic dynamic : {Dynamic::symmetric, Dynamic::asymmetric})
        for (std::int64_t k = 1; k <= 3 * g.k_unit + 1; k += k < 2 * g.k_unit ? 1 : 5) {
          SCOPED_TRACE(testing::Message() << kernel->name << ' ' << name(type) << " dynamic " << int(dynamic) << " k " << k);
          constexpr int rows = 3;
          Guarded source(static_cast<std::size_t>(rows * k) * size_of(type), size_of(type));
          std::vector<float> x(static_cast<std::size_t>(rows * k));
          for (std::size_t i = 0; i < x.size(); ++i) {
            store_float(source.data(), type, static_cast<std::int64_t>(i), static_cast<float>(rng.real(-3, 9)));
            x[i] = load(source.data(), type, static_cast<std::int64_t>(i));
          }
          const std::int64_t kp = padded_k(g, k);
          const int groups = (rows + g.row_group - 1) / g.row_group;
          Guarded packed(static_cast<std::size_t>(groups * g.row_group * kp) * size_of(g.a), 64);
          std::int32_t row_sum[rows], zero_point[rows];
          float scale[rows];
          kernel->pack_a({.src = source.data(),
                          .src_type = type,
                          .stride = k,
                          .rows = rows,
                          .k = k,
                          .k_padded = kp,
                          .far = k % 2 == 0,
                          .dynamic = dynamic,
                          .dst = packed.data(),
                          .row_sum = row_sum,
                          .scale = scale,
                          .zero_point = zero_point});
          ASSERT_TRUE(packed.margins_intact());
          for (int i = 0; i < rows; ++i) {
            std::vector<std::int32_t> q(static_cast<std::size_t>(k));
            float expected_scale;
            std::int32_t expected_zero_point, sum = 0;
            quantize_row({x.data() + i * k, static_cast<std::size_t>(k)}, dynamic, q, &expected_scale, &expected_zero_point);
            ASSERT_EQ(to_bits(scale[i]), to_bits(expected_scale)) << "row " << i;
            for (std::int64_t p = 0; p < k; ++p) {
              const std::int64_t group = i / g.row_group * g.row_group * kp;
              const std::int64_t at = group + (p / g.kr * g.row_group + i % g.row_group) * g.kr + p % g.kr;
              ASSERT_EQ(stored(packed, g.a, at) - zero_point[i], q[p] - expected_zero_point) << "row " << i << ", k " << p;
              sum += stored(packed, g.a, at);
            }
            ASSERT_EQ(row_sum[i], sum) << "row " << i;
          }
        }
  }
}

}  // namespace
}  // namespace narrow::test
