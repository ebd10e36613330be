// Raw layouts of files against naive decoders, one value at a time as each format's own description has it; and act-order.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "narrow/narrow.h"
#include "tests/packed.h"
#include "tests/raw_data.h"
#include "tests/reference_groups.h"

namespace narrow::test {
namespace {

/// Raw data and what they mean.
struct Decoded {
  std::int64_t k, n, size;
  std::function<int(std::int64_t, std::int64_t)> q, zero_point;    // (k, column), (group, column)
  std::function<float(std::int64_t, std::int64_t)> scale, offset;  // offset: minus what is added, where not scale * zero_point

  std::int64_t groups() const { return (k + size - 1) / size; }
};

class Layouts : public RawDataTest {
 protected:
  static constexpr std::int64_t m = 3;

  /// Packs, multiplies rows of s8 and compares with the definition over decoded values. The permutation is A's and the groups'.
  void check(WeightsDesc w, const Decoded& d) {
    w.k = d.k;
    w.n = d.n;
    w.cap = GetParam();
    const Packed p = packed(w);
    ASSERT_TRUE(p.status.ok()) << p.status.reason;
    Weights opened;
    ASSERT_TRUE(Weights::open(p.blob.data(), p.blob.size(), &opened).ok());

    const Guarded a = bytes(static_cast<std::size_t>(m * d.k));
    GemmDesc desc;
    desc.a = Type::s8;
    desc.c = Type::f32;
    desc.cap = GetParam();
    Gemm plan;
    ASSERT_TRUE(Gemm::plan(desc, opened, &plan).ok());
    std::vector<float> c(static_cast<std::size_t>(m * d.n));
    GemmArgs args;
    args.m = m;
    args.a = a.data();
    args.a_stride = d.k;
    args.c = c.data();
    args.c_stride = d.n;
    Guarded scratch(plan.scratch_size(m), Gemm::scratch_alignment);
    ASSERT_TRUE(plan.run(args, scratch.data(), scratch.size()).ok());
    ASSERT_TRUE(scratch.margins_intact());

    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < d.n; ++j) {
        float sum = 0;
        for (std::int64_t g = 0; g < d.groups(); ++g) {
          int total = 0, a_sum = 0;
          for (std::int64_t p = g * d.size; p < std::min(d.k, (g + 1) * d.size); ++p) {
            const std::int64_t at = w.permutation != nullptr ? w.permutation[p] : p;
            const int x = a.as<std::int8_t>()[i * d.k + at];
            total += x * (d.q(at, j) - (d.offset ? 0 : d.zero_point(g, j)));
            a_sum += x;
          }
          if (d.offset) sum = std::fmaf(static_cast<float>(-a_sum), d.offset(g, j), sum);
          sum = std::fmaf(static_cast<float>(total), d.scale(g, j), sum);
        }
        const float got = c[static_cast<std::size_t>(i * d.n + j)];
        ASSERT_EQ(to_bits(got), to_bits(sum)) << "row " << i << ", column " << j << ": " << got << " for " << sum;
      }
  }

  /// ggml: blocks of 32 k, with `header` bytes before 16 or 32 bytes of values. As in its dequantize_row functions.
  void check_ggml(Layout layout, int header, std::int64_t n, std::int64_t k, Edge edge) {
    const std::int64_t block = header + (layout == Layout::ggml_q8_0 ? 32 : 16), blocks = k / 32;
    std::vector<std::uint8_t> raw(static_cast<std::size_t>(n * blocks * block));
    for (std::uint8_t& x : raw) x = static_cast<std::uint8_t>(rng_.next());
    for (std::int64_t b = 0; b < n * blocks; ++b)
      for (int h = 0; h < header; h += 2) {
        const std::uint16_t value = half();
        std::memcpy(&raw[static_cast<std::size_t>(b * block + h)], &value, 2);
      }
    const Guarded data = guarded_copy(raw.data(), raw.size(), edge);
    const auto at = [&](std::int64_t k_, std::int64_t j) { return data.data() + (j * blocks + k_ / 32) * block; };
    Decoded d{k, n, 32, {}, {}, {}, {}};
    d.q = [&](std::int64_t k_, std::int64_t j) -> int {
      const std::uint8_t* qs = at(k_, j) + header;
      if (layout == Layout::ggml_q8_0) return static_cast<std::int8_t>(qs[k_ % 32]);
      return k_ % 32 < 16 ? qs[k_ % 32] & 15 : qs[k_ % 32 - 16] >> 4;
    };
    d.zero_point = [&](std::int64_t, std::int64_t) { return layout == Layout::ggml_q4_0 ? 8 : 0; };
    d.scale = [&](std::int64_t g, std::int64_t j) { return load(at(g * 32, j), Type::f16, 0); };
    if (layout == Layout::ggml_q4_1)
      d.offset = [&](std::int64_t g, std::int64_t j) { return -load(at(g * 32, j) + 2, Type::f16, 0); };
    WeightsDesc w;
    w.type = layout == Layout::ggml_q8_0 ? Type::s8 : Type::u4;
    w.layout = layout;
    w.data = data.data();
    check(w, d);
  }
};
NARROW_FOR_EACH_TIER(Layouts);

TEST_P(Layouts, Ggml) {
  for (const auto& [layout, header] : {std::pair{Layout::ggml_q4_0, 2}, {Layout::ggml_q4_1, 4}, {Layout::ggml_q8_0, 2}})
    for (std::int64_t n : {1, 37, 70})
      for (std::int64_t k : {32, 64, 320}) check_ggml(layout, header, n, k, n == 37 ? Edge::front : Edge::back);
}

TEST_P(Layouts, MatMulNBits) {
  for (std::int64_t n : {1, 37, 70})
    for (std::int64_t k : {5, 32, 100, 321})
      for (std::int64_t size : {16, 32, 128})
        for (Type zero_type : {Type::none, Type::u4, Type::f16}) {
          const std::int64_t count = (k + size - 1) / size;
          const Guarded data = bytes(static_cast<std::size_t>(n * count * size / 2));
          const Guarded scales = halves(static_cast<std::size_t>(n * count));
          const Guarded zeros = zero_type == Type::f16 ? halves(static_cast<std::size_t>(n * count))
                                                       : bytes(static_cast<std::size_t>(n * ((count + 1) / 2)));
          Decoded d{k, n, size, {}, {}, {}, {}};
          d.q = [&](std::int64_t p, std::int64_t j) {
            const std::uint8_t byte = data.data()[(j * count + p / size) * (size / 2) + p % size / 2];
            return p % 2 == 0 ? byte & 15 : byte >> 4;
          };
          d.zero_point = [&](std::int64_t g, std::int64_t j) {
            if (zero_type == Type::none) return 8;
            const std::uint8_t byte = zeros.data()[j * ((count + 1) / 2) + g / 2];
            return g % 2 == 0 ? byte & 15 : byte >> 4;
          };
          d.scale = [&](std::int64_t g, std::int64_t j) { return load(scales.data(), Type::f16, j * count + g); };
          if (zero_type == Type::f16)
            d.offset = [&](std::int64_t g, std::int64_t j) {
              return d.scale(g, j) * load(zeros.data(), Type::f16, j * count + g);
            };
          WeightsDesc w;
          w.type = Type::u4;
          w.layout = Layout::matmul_nbits;
          w.data = data.data();
          w.groups = {size, scales.data(), Type::f16, zero_type == Type::none ? nullptr : zeros.data(), zero_type};
          check(w, d);
        }
}

TEST_P(Layouts, Gptq) {
  for (std::int64_t n : {8, 40, 136})
    for (std::int64_t k : {8, 64, 328})
      for (std::int64_t size : {32, 128, 328})
        for (bool zero_points : {false, true})
          for (bool act_order : {false, true}) {
            const std::int64_t count = (k + size - 1) / size;
            const Guarded data = bytes(static_cast<std::size_t>(k / 8 * n * 4)),
                          zeros = bytes(static_cast<std::size_t>(count * n / 2));
            const Guarded scales = halves(static_cast<std::size_t>(count * n));
            std::vector<std::int32_t> permutation(static_cast<std::size_t>(k));
            for (std::size_t p = 0; p < permutation.size(); ++p) permutation[p] = static_cast<std::int32_t>(p);
            for (std::size_t p = permutation.size(); p > 1; --p)
              std::swap(permutation[p - 1],
                        permutation[static_cast<std::size_t>(rng_.between(0, static_cast<std::int64_t>(p) - 1))]);
            const auto word = [](const Guarded& g, std::int64_t at) {
              std::uint32_t value;
              std::memcpy(&value, g.data() + 4 * at, 4);
              return value;
            };
            Decoded d{k, n, size, {}, {}, {}, {}};
            d.q = [&](std::int64_t p, std::int64_t j) {
              return static_cast<int>(word(data, p / 8 * n + j) >> (4 * (p % 8)) & 15);
            };
            d.zero_point = [&](std::int64_t g, std::int64_t j) {
              return zero_points ? static_cast<int>(word(zeros, (g * n + j) / 8) >> (4 * (j % 8)) & 15) + 1 : 8;
            };
            d.scale = [&](std::int64_t g, std::int64_t j) { return load(scales.data(), Type::f16, g * n + j); };
            WeightsDesc w;
            w.type = Type::u4;
            w.layout = Layout::gptq;
            w.data = data.data();
            w.groups = {size, scales.data(), Type::f16, zero_points ? zeros.data() : nullptr, Type::u4};
            if (act_order) w.permutation = permutation.data();
            check(w, d);
          }
}

TEST_P(Layouts, Awq) {
  const int column_of[8] = {0, 2, 4, 6, 1, 3, 5, 7};  // which column each nibble of a word is
  for (std::int64_t n : {8, 40, 136})
    for (std::int64_t k : {1, 64, 321})
      for (std::int64_t size : {32, 128}) {
        const std::int64_t count = (k + size - 1) / size;
        const Guarded data = bytes(static_cast<std::size_t>(k * n / 2)), zeros = bytes(static_cast<std::size_t>(count * n / 2));
        const Guarded scales = halves(static_cast<std::size_t>(count * n));
        const auto unpack = [&](const Guarded& g, std::int64_t row, std::int64_t j) {
          std::uint32_t value;
          std::memcpy(&value, g.data() + (row * n + j) / 8 * 4, 4);
          for (int i = 0; i < 8; ++i)
            if (column_of[i] == j % 8) return static_cast<int>(value >> (4 * i) & 15);
          return -1;
        };
        Decoded d{k, n, size, {}, {}, {}, {}};
        d.q = [&](std::int64_t p, std::int64_t j) { return unpack(data, p, j); };
        d.zero_point = [&](std::int64_t g, std::int64_t j) { return unpack(zeros, g, j); };
        d.scale = [&](std::int64_t g, std::int64_t j) { return load(scales.data(), Type::f16, g * n + j); };
        WeightsDesc w;
        w.type = Type::u4;
        w.layout = Layout::awq;
        w.data = data.data();
        w.groups = {size, scales.data(), Type::f16, zeros.data(), Type::u4};
        check(w, d);
      }
}

/// Element `from` of x to place `to` of y, which is zero.
void move_element(Type type, const std::uint8_t* x, std::int64_t from, std::uint8_t* y, std::int64_t to) {
  if (is_4bit(type))
    y[to / 2] |= static_cast<std::uint8_t>((x[from / 2] >> from % 2 * 4 & 15) << to % 2 * 4);
  else
    std::memcpy(y + bytes_of(type, to), x + bytes_of(type, from), size_of(type));
}

/// Act-order by the permutation, and by moving B's and A's k: floats are quantized in their own order, and only then taken in
/// another; nibbles are taken out of their bytes.
TEST_P(Layouts, ActOrderOfA) {
  constexpr std::int64_t k = 71, stride = 72, n = 40, size = 32, rows = 5;
  const Guarded data = bytes(n * stride / 2), scales = halves(n * 3);
  std::int32_t permutation[k];
  for (int p = 0; p < k; ++p) permutation[p] = p * 27 % k;
  WeightsDesc w;
  w.type = Type::s4;
  w.k = k;
  w.n = n;
  w.stride = stride;
  w.groups = {size, scales.data(), Type::f16};
  w.cap = GetParam();
  std::vector<std::uint8_t> moved(n * stride / 2);
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t p = 0; p < k; ++p)
      move_element(w.type, data.data(), j * stride + permutation[p], moved.data(), j * stride + p);
  for (Type type : {Type::f32, Type::f16, Type::s8, Type::s4, Type::u4}) {
    const std::int64_t elements = (rows - 1) * stride + k;
    std::vector<std::uint8_t> values(static_cast<std::size_t>(bytes_of(type, elements)));
    for (std::uint8_t& x : values) x = static_cast<std::uint8_t>(rng_.next());
    for (std::int64_t i = 0; i < elements && is_float(type); ++i)
      store_float(values.data(), type, i, static_cast<float>(rng_.real(-3, 3)));
    const Guarded a = guarded_copy(values.data(), values.size());
    std::vector<std::uint8_t> a_moved(a.size());
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t p = 0; p < k; ++p)
        move_element(type, a.data(), i * stride + permutation[p], a_moved.data(), i * stride + p);
    std::vector<float> c[2];
    for (int plain = 0; plain < 2; ++plain) {
      w.data = plain ? moved.data() : data.data();
      w.permutation = plain ? nullptr : permutation;
      const Packed p = packed(w);
      ASSERT_TRUE(p.status.ok()) << p.status.reason;
      GemmDesc desc;
      desc.a = type;
      desc.c = Type::f32;
      desc.cap = GetParam();
      Gemm plan;
      ASSERT_TRUE(Gemm::plan(desc, p.weights, &plan).ok());
      c[plain].resize(rows * n);
      GemmArgs args;
      args.m = rows;
      args.a = plain ? a_moved.data() : a.data();
      args.a_stride = stride;
      args.c = c[plain].data();
      args.c_stride = n;
      Guarded scratch(plan.scratch_size(rows), Gemm::scratch_alignment);
      ASSERT_TRUE(plan.run(args, scratch.data(), scratch.size()).ok());
      ASSERT_TRUE(scratch.margins_intact());
    }
    EXPECT_EQ(c[0], c[1]) << name(type);
  }
}

}  // namespace
}  // namespace narrow::test
