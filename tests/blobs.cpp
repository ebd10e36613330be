// Packed weights as a file would hold them: moved, damaged, truncated, foreign.
#include <algorithm>
#include <cstddef>

#include "src/hash.h"
#include "tests/forged.h"
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Blobs : public TierTest {};
NARROW_FOR_EACH_TIER(Blobs);

Case small_case() {
  return {.m = 3, .n = 11, .k = 21, .a = Type::u8, .b_zero_point = Given::each, .b_scale = Given::each, .c = Type::f32};
}

/// A writable copy whose last byte touches a guard page wherever 64-byte alignment allows; blobs are multiples of 64 bytes.
Guarded copy_of(const Weights& w, std::size_t bytes) {
  Guarded copy(bytes, Weights::alignment);
  if (bytes != 0) std::memcpy(copy.data(), w.blob(), bytes);
  return copy;
}

/// Groups of permuted k, in several panels.
class PermutedBlobs : public Blobs {
 protected:
  static constexpr std::int64_t k = 40, n = 150;

  void SetUp() override {
    Rng rng(5);
    std::vector<std::uint8_t> data(k * n / 2);
    for (std::uint8_t& x : data) x = static_cast<std::uint8_t>(rng.next());
    const std::vector<float> scale(2 * n, 1.0f);
    std::int32_t permutation[k];
    for (int p = 0; p < k; ++p) permutation[p] = p * 27 % k;
    WeightsDesc d;
    d.type = Type::s4;
    d.k = k;
    d.n = n;
    d.data = data.data();
    d.groups = {24, scale.data()};
    d.permutation = permutation;
    d.cap = GetParam();
    packed_ = packed(d);
    ASSERT_TRUE(packed_.status.ok()) << packed_.status.reason;
  }
  const Weights& weights() const { return packed_.weights; }
  const BlobHeader& header() const { return WeightsAccess::header(weights()); }
  BlobSections sections() const { return WeightsAccess::sections(weights()); }

 private:
  Packed packed_;
};
NARROW_FOR_EACH_TIER(PermutedBlobs);

TEST_P(Blobs, RoundTripAtAnotherAddress) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  ASSERT_EQ(packed.bytes() % Weights::alignment, 0u);
  Guarded copy = copy_of(packed, packed.bytes());
  copy.make_read_only();
  const Status s = Weights::open(copy.data(), copy.size(), &opened);
  ASSERT_TRUE(s.ok()) << s.reason;
  EXPECT_EQ(opened.k(), 21);
  EXPECT_EQ(opened.n(), 11);
  EXPECT_EQ(opened.type(), Type::s8);
  EXPECT_EQ(opened.tier(), GetParam());
  EXPECT_EQ(opened.blob(), copy.data());
  EXPECT_EQ(opened.bytes(), copy.size());
  Gemm plan;
  ASSERT_TRUE(Gemm::plan(problem.desc(), opened, &plan).ok());
  EXPECT_TRUE(problem.check(plan, 3));
}

TEST_P(Blobs, OpensInALargerBuffer) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  Guarded copy(packed.bytes() + 640, Weights::alignment);
  std::memcpy(copy.data(), packed.blob(), packed.bytes());
  ASSERT_TRUE(Weights::open(copy.data(), copy.size(), &opened).ok());
  EXPECT_EQ(opened.bytes(), packed.bytes());
}

/// The bytes do not depend on threads nor on what the buffer held before.
TEST_P(Blobs, AreReproducible) {
  Problem problem({.n = 150, .k = 200, .order = Order::kn, .b_zero_point = Given::each, .b_scale = Given::tensor});
  Weights first, second;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &first).ok());
  const Guarded copy = copy_of(first, first.bytes());
  Guarded buffer(first.bytes(), Weights::alignment);
  std::memset(buffer.data(), 0xff, buffer.size());
  const Parallel backwards{3, [](void*, int tasks, Parallel::Task task, void* argument) {
                             for (int i = tasks; i-- > 0;) task(argument, i);
                           }, nullptr};
  ASSERT_TRUE(Weights::pack(problem.weights_desc(), buffer.data(), buffer.size(), &second, backwards).ok());
  for (std::size_t i = 0; i < buffer.size(); ++i) ASSERT_EQ(buffer.data()[i], copy.data()[i]) << "byte " << i;
}

TEST_P(Blobs, EveryDamagedByteIsNoticed) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  Guarded copy = copy_of(packed, packed.bytes());
  for (std::size_t i = 0; i < copy.size(); ++i)
    for (unsigned char flip : {0x01, 0x80, 0xff}) {
      copy.data()[i] ^= flip;
      const Status s = Weights::open(copy.data(), copy.size(), &opened);
      EXPECT_EQ(s.code, Code::bad_weights) << "byte " << i << " xor " << int(flip);
      EXPECT_STRNE(s.reason, "");
      copy.data()[i] ^= flip;
    }
  EXPECT_TRUE(Weights::open(copy.data(), copy.size(), &opened).ok());
}

TEST_P(Blobs, EveryTruncationIsNoticed) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  for (std::size_t bytes = 0; bytes < packed.bytes(); ++bytes) {
    // Only whole lines can both be aligned and end at the guard page; in between, `bytes` says less than there is.
    const Guarded copy = copy_of(packed, bytes / Weights::alignment * Weights::alignment == bytes ? bytes : packed.bytes());
    EXPECT_EQ(Weights::open(copy.data(), bytes, &opened).code, Code::bad_weights) << bytes;
  }
}

/// A header whose own checksum is right, but that claims what the blob does not hold: sizes are not to be believed.
TEST_P(Blobs, ForgedHeaders) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  Rng rng(8);
  int refused = 0;
  for (int attempt = 0; attempt < 20000; ++attempt) {
    Guarded copy = copy_of(packed, packed.bytes());
    auto* header = copy.as<BlobHeader>();
    const auto at = static_cast<std::size_t>(rng.between(8, offsetof(BlobHeader, header_hash) - 1));
    switch (rng.between(0, 2)) {
      case 0: copy.data()[at] = static_cast<unsigned char>(rng.next()); break;
      case 1: copy.data()[at] ^= static_cast<unsigned char>(1u << rng.between(0, 7)); break;
      default: std::memset(copy.data() + at / 8 * 8, static_cast<int>(rng.next()), 8);
    }
    if (std::memcmp(copy.data(), packed.blob(), sizeof(BlobHeader)) == 0) continue;
    header->header_hash = hash(header, offsetof(BlobHeader, header_hash), 0);
    copy.make_read_only();
    const Status s = Weights::open(copy.data(), copy.size(), &opened);
    if (s.ok()) {  // a claim that harms nobody: the product must still stay within the blob
      Gemm plan;
      if (opened.k() == 21 && opened.n() == 11 && Gemm::plan(problem.desc(), opened, &plan).ok()) {
        ASSERT_TRUE(plan.run(problem.args()).ok());
      }
    }
    refused += !s.ok();
  }
  EXPECT_GT(refused, 10000);
}

TEST_P(PermutedBlobs, DamageIsNoticed) { expect_damage_is_noticed(weights()); }

TEST_P(PermutedBlobs, PanelsHaveTheirPlaces) {
  Guarded copy = copy_of(weights(), weights().bytes());
  unsigned char* const first = copy.data() + sections().panels;
  unsigned char* const second = first + header().panel_stride;
  ASSERT_LE(second + header().panel_stride, copy.data() + copy.size());
  ASSERT_NE(std::memcmp(first, second, header().panel_stride), 0);
  std::swap_ranges(first, second, second);
  Weights opened;
  EXPECT_EQ(Weights::open(copy.data(), copy.size(), &opened).code, Code::bad_weights);
}

/// Indices outside k, under checksums that are right.
TEST_P(PermutedBlobs, ForgedIndices) {
  for (std::int64_t at : {std::int64_t{0}, k - 1})
    for (const auto& [index, code] : {std::pair{0, Code::ok},
                                      {static_cast<int>(k) - 1, Code::ok},
                                      {static_cast<int>(k), Code::bad_weights},
                                      {-1, Code::bad_weights},
                                      {INT32_MIN, Code::bad_weights},
                                      {INT32_MAX, Code::bad_weights}}) {
      Guarded copy = copy_of(weights(), weights().bytes());
      reinterpret_cast<std::int32_t*>(copy.data() + sections().permutation)[at] = index;
      set_checksums(copy.data(), header());
      Weights opened;
      EXPECT_EQ(Weights::open(copy.data(), copy.size(), &opened).code, code) << index << " at " << at;
    }
}

/// Sizes whose product is beyond 64 bits, of a layout that nobody here could check.
TEST(Blobs, ForgedSizesThatWrapAround) {
  Guarded blob(256, Weights::alignment);
  auto* h = blob.as<BlobHeader>();
  *h = {};
  std::memcpy(h->magic, blob_magic, sizeof blob_magic);
  h->version = blob_version;
  h->type = static_cast<std::uint8_t>(Type::s8);
  h->layout = 0x7777;
  h->nr = 1;
  h->n = std::int64_t{1} << 30;
  h->k = 8;
  h->panel_stride = std::uint64_t{1} << 34;
  h->group_size = 8;
  h->group_scale = static_cast<std::uint8_t>(Type::f32);
  h->bytes = sections_of(*h).end;
  ASSERT_LE(h->bytes, blob.size());
  h->header_hash = header_hash(*h);
  Weights opened;
  EXPECT_EQ(Weights::open(blob.data(), blob.size(), &opened).code, Code::bad_weights);
}

/// Bits have no zero points: a blob that brings some has been made to.
TEST_P(Blobs, ZeroPointsOfBits) {
  const std::int32_t bits[2 * 11] = {};
  for (Type operand : {Type::b1, Type::s8}) {
    WeightsDesc w;
    w.type = Type::b1, w.operand = operand, w.n = 11, w.k = 64, w.data = bits, w.cap = GetParam();
    const Packed honest = packed(w);
    ASSERT_TRUE(honest.status.ok()) << honest.status.reason;
    const BlobSections from = WeightsAccess::sections(honest.weights);
    BlobHeader header = WeightsAccess::header(honest.weights);
    header.has_zero_point = 1;
    const BlobSections to = sections_of(header);
    header.bytes = to.end;
    Guarded blob(to.end, Weights::alignment);
    const char* const source = static_cast<const char*>(honest.weights.blob());
    std::memset(blob.data(), 0, to.end);
    std::memcpy(blob.data(), &header, sizeof header);
    std::memcpy(blob.data() + to.panels, source + from.panels, from.end - from.panels);
    set_checksums(blob.data(), header);
    Weights opened;
    const Status s = Weights::open(blob.data(), blob.size(), &opened);
    EXPECT_EQ(s.code, Code::bad_weights);
    EXPECT_NE(std::string(s.reason).find("zero points"), std::string::npos) << s.reason;
  }
}

TEST_P(Blobs, AnotherVersion) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  Guarded copy = copy_of(packed, packed.bytes());
  auto* header = copy.as<BlobHeader>();
  ++header->version;
  header->header_hash = hash(header, offsetof(BlobHeader, header_hash), 0);
  const Status s = Weights::open(copy.data(), copy.size(), &opened);
  EXPECT_EQ(s.code, Code::bad_weights);
  EXPECT_NE(std::string(s.reason).find("version"), std::string::npos) << s.reason;
}

TEST_P(Blobs, MisalignedBuffersAreRefused) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(GetParam()), &packed).ok());
  Guarded copy(packed.bytes() + 64, Weights::alignment);
  for (std::size_t shift : {1, 4, 16, 32}) {
    std::memcpy(copy.data() + shift, packed.blob(), packed.bytes());
    EXPECT_EQ(Weights::open(copy.data() + shift, packed.bytes(), &opened).code, Code::invalid_argument) << shift;
    const Status s = Weights::pack(problem.weights_desc(), copy.data() + shift, packed.bytes(), &opened);
    EXPECT_EQ(s.code, Code::invalid_argument) << shift;
  }
}

/// Weights of one tier are no use to a plan that may not use that tier; the blob opens all the same.
TEST(Blobs, AnotherTier) {
  for (Tier packed_for : available_tiers()) {
    Problem problem(small_case());
    Weights packed, opened;
    ASSERT_TRUE(problem.pack(Cap(packed_for), &packed).ok());
    ASSERT_TRUE(Weights::open(packed.blob(), packed.bytes(), &opened).ok());
    for (Tier cap : available_tiers()) {
      problem.desc().cap = cap;
      Gemm plan;
      const Status s = Gemm::plan(problem.desc(), opened, &plan);
      if (cap >= packed_for) {
        EXPECT_TRUE(s.ok()) << s.reason;
      } else {
        EXPECT_EQ(s.code, Code::bad_weights) << name(packed_for) << " under " << name(cap);
        EXPECT_STRNE(s.reason, "");
      }
    }
  }
}

TEST(Blobs, OfATierThatIsMissing) {
  Problem problem(small_case());
  Weights packed, opened;
  ASSERT_TRUE(problem.pack(Cap(Tier::generic), &packed).ok());
  for (Tier tier : all_tiers()) {
    if (tier_available(tier)) continue;
    Guarded copy = copy_of(packed, packed.bytes());
    auto* header = copy.as<BlobHeader>();
    header->tier = static_cast<std::uint8_t>(tier);
    if (kernel(tier, 0) != nullptr) header->layout = 0x7777;  // the build knows the tier, so take a layout that it does not
    header->header_hash = hash(header, offsetof(BlobHeader, header_hash), 0);
    Status s = Weights::open(copy.data(), copy.size(), &opened);
    ASSERT_TRUE(s.ok()) << name(tier) << ": " << s.reason;
    EXPECT_EQ(opened.tier(), tier);
    Gemm plan;
    s = Gemm::plan(problem.desc(), opened, &plan);
    EXPECT_EQ(s.code, Code::bad_weights) << name(tier);
    EXPECT_STRNE(s.reason, "");
  }
}

}  // namespace
}  // namespace narrow::test
