// Any bytes as a packed blob: refused with a reason, or a view that a product can use without leaving the blob.
//
// Random bytes do not get past the checksums, so these are set right for most inputs, the header's or both: an input is what
// follows a mode byte and may replace parts of a blob that pack wrote.
#include "src/weights.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "narrow/conv.h"
#include "src/bits.h"
#include "tests/forged.h"
#include "tests/guarded.h"
#include "tests/packed.h"

namespace {

using namespace narrow;

enum class Kind { s8, u4, groups, permuted_groups, bits, bits_for_bytes, filters };
constexpr int kinds = 7;

/// The convolution that the filters are for.
constexpr std::int64_t filter_side = 2, channels = 5;

std::vector<unsigned char> packed_blob(Kind kind) {
  std::vector<std::int8_t> data(7 * 16);
  for (std::size_t i = 0; i < data.size(); i += 4) data[i] = 5;  // of bits, no more than the rows have
  const std::vector<float> scales(7 * 2, 0.5f);
  const std::int32_t permutation[9] = {8, 0, 7, 1, 6, 2, 5, 3, 4};
  WeightsDesc desc;
  desc.type = kind == Kind::s8 || kind == Kind::permuted_groups ? Type::s8 : kind >= Kind::bits ? Type::b1 : Type::u4;
  if (kind == Kind::bits_for_bytes) desc.operand = Type::s8;
  desc.k = 9;
  desc.n = 7;
  desc.data = data.data();
  desc.cap = Tier::generic;
  if (kind == Kind::groups || kind == Kind::permuted_groups) {
    desc.groups.size = 8;
    desc.groups.scale = scales.data();
  }
  if (kind == Kind::groups) {
    desc.groups.zero_point = data.data();
    desc.groups.zero_point_type = Type::u8;
  }
  if (kind == Kind::permuted_groups) desc.permutation = permutation;
  if (kind == Kind::filters)
    if (!prepare_filters({7, filter_side, filter_side, channels, data.data()}, &desc, nullptr).ok()) std::abort();
  const test::Packed p = test::packed(desc);
  if (!p.status.ok()) std::abort();
  return {p.blob.data(), p.blob.data() + p.blob.size()};
}

void multiply(const Weights& weights) {
  GemmDesc desc;
  desc.c = Type::f32;
  Gemm plan;
  Status planned;
  for (Type a : {Type::b1, Type::u8, Type::s8}) {  // bits take the first, groups the last
    desc.a = a;
    planned = Gemm::plan(desc, weights, &plan);
    if (planned.ok()) break;
    if (*planned.reason == '\0') std::abort();
  }
  if (!planned.ok()) return;
  constexpr std::int64_t m = 3;
  GemmArgs args;
  args.m = m;
  args.a_stride = elements_of(desc.a, weights.k());
  // No bits behind those of a row.
  const std::vector<std::uint8_t> a(static_cast<std::size_t>(m * args.a_stride), desc.a == Type::b1 ? 0 : 200);
  std::vector<float> c(static_cast<std::size_t>(m * weights.n()));
  args.a = a.data();
  args.c = c.data();
  args.c_stride = weights.n();
  if (!plan.run(args).ok()) std::abort();
}

void convolve(const Weights& weights) {
  ConvDesc desc;
  desc.h = desc.w = 4, desc.c = channels;
  desc.kernel_h = desc.kernel_w = filter_side;
  desc.gemm.a = Type::b1;
  Conv conv;
  if (const Status s = Conv::plan(desc, weights, &conv); !s.ok()) {
    if (*s.reason == '\0') std::abort();
    return;
  }
  const std::vector<std::uint8_t> a(static_cast<std::size_t>(desc.h * desc.w * bit_row_bytes(channels)), 0);
  std::vector<std::int32_t> c(static_cast<std::size_t>(conv.out_h() * conv.out_w() * weights.n()));
  std::vector<std::uint8_t> scratch(conv.scratch_size(1));
  ConvArgs args;
  args.images = 1;
  args.a = a.data();
  args.a_stride = bit_row_bytes(channels);
  args.c = c.data();
  args.c_stride = weights.n();
  if (!conv.run(args, scratch.data(), scratch.size()).ok()) std::abort();
}

void use(const Weights& weights) {
  if (weights.k() > 4096 || weights.n() > 4096) return;
  multiply(weights);
  convolve(weights);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::vector<unsigned char>> blobs = [] {
    std::vector<std::vector<unsigned char>> all;
    for (int kind = 0; kind < kinds; ++kind) all.push_back(packed_blob(static_cast<Kind>(kind)));
    return all;
  }();
  if (size == 0) return 0;
  const int mode = data[0];
  const std::vector<unsigned char>& good = blobs[static_cast<std::size_t>(mode >> 3) % blobs.size()];
  ++data, --size;

  std::vector<unsigned char> bytes;
  if (mode & 1) {
    bytes.assign(data, data + size);
  } else {
    // Pairs of (offset, value) change the good blob; what is left says how much of it is there.
    bytes = good;
    for (; size >= 3; data += 3, size -= 3) bytes[(data[0] | data[1] << 8) % bytes.size()] = data[2];
    if (size == 2) bytes.resize((data[0] | data[1] << 8) % (bytes.size() + 1));
  }
  BlobHeader header;
  if ((mode & 2) && bytes.size() >= sizeof header) {
    std::memcpy(&header, bytes.data(), sizeof header);
    std::memcpy(header.magic, blob_magic, sizeof blob_magic);
    header.header_hash = header_hash(header);
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  if ((mode & 4) && bytes.size() >= good.size()) {
    std::memcpy(&header, good.data(), sizeof header);
    test::set_checksums(bytes.data(), header);
  }
  test::Guarded blob(bytes.size(), Weights::alignment);
  if (!bytes.empty()) std::memcpy(blob.data(), bytes.data(), bytes.size());
  blob.make_read_only();

  Weights weights;
  const Status opened = Weights::open(blob.data(), bytes.size(), &weights);
  if (opened.ok())
    use(weights);
  else if (*opened.reason == '\0')
    std::abort();
  return 0;
}
