// Weights packed block by block; and what descriptions of layouts and streams are refused for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

#include "narrow/narrow.h"
#include "tests/packed.h"
#include "tests/raw_data.h"

namespace narrow::test {
namespace {

class WeightsStreams : public RawDataTest {};
NARROW_FOR_EACH_TIER(WeightsStreams);

/// Blocks of columns, one after another, give the blob that all of them give at once.
TEST_P(WeightsStreams, EqualOnePack) {
  constexpr std::int64_t k = 320, n = 200;
  std::vector<std::uint8_t> raw(static_cast<std::size_t>(n * (k / 32) * 18), 0x25);  // as a scale: 0.02
  const Guarded blocks = guarded_copy(raw.data(), raw.size()), data = bytes(static_cast<std::size_t>(n * k));
  std::vector<float> scale(n), floats(n * k);
  std::vector<std::int32_t> zero_point(n);
  for (float& x : scale) x = static_cast<float>(rng_.real(0.001, 0.01));
  for (float& x : floats) x = static_cast<float>(rng_.real(-1, 1));
  for (std::int32_t& x : zero_point) x = static_cast<std::int32_t>(rng_.between(0, 15));
  const Guarded scales = halves(n * 10);

  struct Kind {
    const char* name;
    std::function<void(WeightsDesc&, std::int64_t)> from;  // arrays of the columns from there on
  };
  const Kind kinds[] = {
      {"s8", [&](WeightsDesc& w, std::int64_t j) { w.data = data.data() + j * k; }},
      {"u4",
       [&](WeightsDesc& w, std::int64_t j) {
         w.type = Type::u4;
         w.data = data.data() + j * k / 2;
         w.scale = scale.data() + j;
         w.scale_per = w.zero_point_per = Per::column;
         w.zero_point = zero_point.data() + j;
       }},
      {"s4 in groups",
       [&](WeightsDesc& w, std::int64_t j) {
         w.type = Type::s4;
         w.data = data.data() + j * k / 2;
         w.groups = {32, scales.data() + j * 10 * 2, Type::f16};
       }},
      {"q4_0",
       [&](WeightsDesc& w, std::int64_t j) {
         w.type = Type::u4;
         w.layout = Layout::ggml_q4_0;
         w.data = blocks.data() + j * (k / 32) * 18;
       }},
      {"floats to u4 columns",
       [&](WeightsDesc& w, std::int64_t j) {
         w.type = Type::u4;
         w.data_type = Type::f32;
         w.data = floats.data() + j * k;
       }},
      {"floats to s8 columns",
       [&](WeightsDesc& w, std::int64_t j) {
         w.data_type = Type::f32;
         w.data = floats.data() + j * k;
       }},
      {"floats to u4 groups",
       [&](WeightsDesc& w, std::int64_t j) {
         w.type = Type::u4;
         w.data_type = Type::f32;
         w.data = floats.data() + j * k;
         w.range = narrow::Range::mse;
         w.groups.size = 64;
         w.groups.scale_type = Type::bf16;
       }},
  };
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    WeightsDesc whole;
    whole.k = k;
    whole.n = n;
    whole.cap = GetParam();
    kind.from(whole, 0);
    const Packed once = packed(whole);
    ASSERT_TRUE(once.status.ok()) << once.status.reason;
    const std::size_t size = once.blob.size();
    Guarded streamed(size, Weights::alignment);
    Weights weights;
    WeightsStream stream;
    ASSERT_TRUE(WeightsStream::begin(whole, streamed.data(), size, &stream).ok());
    EXPECT_EQ(stream.finish(&weights).code, Code::invalid_argument);
    for (const auto& [first, last] : {std::pair<std::int64_t, std::int64_t>{0, 64}, {64, 192}, {192, n}}) {
      WeightsDesc block = whole;
      kind.from(block, first);
      block.n = 63;
      EXPECT_EQ(stream.add(block).code, Code::invalid_argument);
      block.n = n + 64;
      EXPECT_EQ(stream.add(block).code, Code::invalid_argument);
      block.n = last - first;
      ASSERT_TRUE(stream.add(block).ok());
    }
    ASSERT_TRUE(stream.finish(&weights).ok());
    EXPECT_EQ(weights.bytes(), size);
    EXPECT_EQ(std::memcmp(once.blob.data(), streamed.data(), size), 0);
    EXPECT_TRUE(streamed.margins_intact());
    Weights opened;
    EXPECT_TRUE(Weights::open(streamed.data(), size, &opened).ok());
  }
}

/// No columns are a blob of a header, and a block of none adds nothing.
TEST_P(WeightsStreams, NoColumns) {
  const std::vector<float> floats(64 * 16, 0.5f);
  for (Type type : {Type::s8, Type::s4, Type::u4})
    for (std::int64_t group : {0, 32}) {
      WeightsDesc d;
      d.type = type;
      d.k = 16;
      d.cap = GetParam();
      d.data_type = Type::f32;
      d.data = floats.data();
      d.groups.size = type == Type::s8 ? 0 : group;
      for (std::int64_t n : {0, 64}) {
        d.n = n;
        const Packed once = packed(d);
        ASSERT_TRUE(once.status.ok()) << once.status.reason;
        EXPECT_TRUE(once.blob.margins_intact());
        const std::size_t bytes = once.blob.size();
        Guarded streamed(bytes, Weights::alignment);
        Weights weights;
        WeightsStream stream;
        ASSERT_TRUE(WeightsStream::begin(d, streamed.data(), bytes, &stream).ok());
        for (std::int64_t columns : {std::int64_t{0}, n, std::int64_t{0}}) {
          WeightsDesc block = d;
          block.n = columns;
          ASSERT_TRUE(stream.add(block).ok());
        }
        ASSERT_TRUE(stream.finish(&weights).ok());
        EXPECT_TRUE(streamed.margins_intact());
        EXPECT_EQ(std::memcmp(once.blob.data(), streamed.data(), bytes), 0);
        const Status s = Weights::open(streamed.data(), bytes, &weights);
        EXPECT_TRUE(s.ok()) << s.reason;
      }
    }
}

TEST(LayoutArguments, AreChecked) {
  const std::vector<std::uint8_t> data(4096);
  const std::vector<float> scales(64, 1.0f);
  auto code = [&](auto change) {
    WeightsDesc d;
    d.type = Type::u4;
    d.k = 64;
    d.n = 8;
    d.data = data.data();
    d.groups = {32, scales.data()};
    change(d);
    return packed(d).status.code;
  };
  const Code invalid = Code::invalid_argument, unsupported = Code::unsupported;
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::gptq; }), Code::ok);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = static_cast<Layout>(7); }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::gptq, d.type = Type::s4; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::gptq, d.k = 63; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::awq, d.n = 7; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::awq, d.stride = 64; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::awq, d.groups.size = 0; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::ggml_q4_0; }), invalid);  // scales of its own
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::ggml_q4_0, d.groups = {}; }), Code::ok);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::ggml_q4_0, d.groups = {}, d.groups.size = 64; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.layout = Layout::ggml_q4_0, d.groups = {}, d.k = 48; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.data_type = Type::s32; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.data_type = Type::f32, d.type = Type::b1; }), unsupported);
  EXPECT_EQ(code([](WeightsDesc& d) { d.data_type = Type::f32, d.layout = Layout::awq; }), invalid);
  EXPECT_EQ(code([](WeightsDesc& d) { d.data_type = Type::f32; }), Code::ok);
  EXPECT_EQ(code([](WeightsDesc& d) { d.data_type = Type::f32, d.range = static_cast<narrow::Range>(2); }), invalid);
  std::int32_t permutation[64];
  std::iota(permutation, permutation + 64, 0);
  EXPECT_EQ(code([&](WeightsDesc& d) { d.permutation = permutation; }), Code::ok);
  EXPECT_EQ(code([&](WeightsDesc& d) { d.permutation = permutation, d.groups = {}; }), unsupported);
  permutation[63] = 64;
  EXPECT_EQ(code([&](WeightsDesc& d) { d.permutation = permutation; }), invalid);
  permutation[63] = -1;
  EXPECT_EQ(code([&](WeightsDesc& d) { d.permutation = permutation; }), invalid);
  permutation[63] = 62;  // twice
  EXPECT_EQ(code([&](WeightsDesc& d) { d.permutation = permutation; }), invalid);
  std::vector<float> floats(64 * 8);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (std::int64_t size : {0, 32})
      for (narrow::Range range : {narrow::Range::min_max, narrow::Range::mse}) {
        floats[511] = bad;
        EXPECT_EQ(code([&](WeightsDesc& d) {
                    d.data = floats.data(), d.data_type = Type::f32, d.groups.size = size, d.range = range;
                  }),
                  invalid);
      }

  WeightsDesc kn;
  kn.k = 64;
  kn.n = 128;
  kn.order = Order::kn;
  kn.data = data.data();
  std::size_t bytes = 0;
  ASSERT_TRUE(Weights::packed_size(kn, &bytes).ok());
  Guarded blob(bytes, Weights::alignment);
  WeightsStream stream;
  EXPECT_EQ(stream.add(kn).code, invalid);
  EXPECT_EQ(WeightsStream::begin(kn, blob.data(), bytes, &stream).code, unsupported);
  kn.order = Order::nk;
  EXPECT_EQ(WeightsStream::begin(kn, blob.data(), bytes - 1, &stream).code, invalid);
  EXPECT_EQ(WeightsStream::begin(kn, blob.data() + 1, bytes, &stream).code, invalid);
  ASSERT_TRUE(WeightsStream::begin(kn, blob.data(), bytes, &stream).ok());
  kn.n = 64;
  kn.type = Type::s4;
  EXPECT_EQ(stream.add(kn).code, invalid);  // of another kind
}

/// What belongs to all blocks is the same in all.
TEST(LayoutArguments, BlocksAreOfOneWhole) {
  const std::vector<std::uint8_t> data(4096);
  const std::vector<float> scales(512, 1.0f), floats(64 * 64);
  std::int32_t order[64], other[64];
  std::iota(order, order + 64, 0);
  std::reverse_copy(order, order + 64, other);
  struct Variant {
    const char* what;
    std::function<void(WeightsDesc&)> whole, second;
  };
  const float one = 1, two = 2;
  const std::int32_t seven = 7, eight = 8;
  const Variant variants[] = {
      {"scale", [&](WeightsDesc& d) { d.scale = &one; }, [&](WeightsDesc& d) { d.scale = &two; }},
      {"zero point", [&](WeightsDesc& d) { d.zero_point = &seven; }, [&](WeightsDesc& d) { d.zero_point = &eight; }},
      {"permutation",
       [&](WeightsDesc& d) {
         d.permutation = order, d.groups = {32, scales.data()};
       },
       [&](WeightsDesc& d) { d.permutation = other; }},
      {"range", [&](WeightsDesc& d) { d.data_type = Type::f32, d.data = floats.data(); },
       [](WeightsDesc& d) { d.range = narrow::Range::mse; }},
      {"type of data", [&](WeightsDesc& d) { d.data_type = Type::f32, d.data = floats.data(); },
       [](WeightsDesc& d) { d.data_type = Type::bf16; }},
      {"layout",
       [&](WeightsDesc& d) {
         d.groups = {32, scales.data()};
       },
       [](WeightsDesc& d) { d.layout = Layout::matmul_nbits; }},
      {"order", [](WeightsDesc&) {}, [](WeightsDesc& d) { d.order = Order::kn; }},
      {"a scale, where the whole has none", [](WeightsDesc&) {}, [&](WeightsDesc& d) { d.scale = scales.data(); }},
  };
  for (const Variant& v : variants) {
    SCOPED_TRACE(v.what);
    WeightsDesc whole;
    whole.type = Type::u4;
    whole.k = 64;
    whole.n = 128;
    whole.data = data.data();
    v.whole(whole);
    std::size_t bytes = 0;
    ASSERT_TRUE(Weights::packed_size(whole, &bytes).ok());
    Guarded blob(bytes, Weights::alignment);
    WeightsStream stream;
    ASSERT_TRUE(WeightsStream::begin(whole, blob.data(), bytes, &stream).ok());
    whole.n = 64;
    ASSERT_TRUE(stream.add(whole).ok());
    WeightsDesc second = whole;
    v.second(second);
    EXPECT_EQ(stream.add(second).code, Code::invalid_argument);
    EXPECT_TRUE(stream.add(whole).ok());
    Weights weights;
    EXPECT_TRUE(stream.finish(&weights).ok());
  }
}

}  // namespace
}  // namespace narrow::test
