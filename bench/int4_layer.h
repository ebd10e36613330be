// A layer of 4-bit weights: what all its rows of the table share, prepared once.
#pragma once

#include <map>

#include "int8_data.h"
#include "onednn.h"

namespace bench {

/// Weights packed for the run and for the scalar definition.
struct CheckedWeights {
  PackedWeights packed, defined;

  CheckedWeights(const narrow::WeightsDesc& desc, narrow::Cap cap, const narrow::Parallel& parallel)
      : packed(with(desc, cap), parallel), defined(with(desc, narrow::Tier::generic), parallel) {}

 private:
  static narrow::WeightsDesc with(narrow::WeightsDesc desc, narrow::Cap cap) {
    desc.cap = cap;
    return desc;
  }
};

struct Int4Layer {
  const std::int64_t n, k;
  const narrow::Cap cap;
  const narrow::Parallel parallel;
  const std::shared_ptr<const Buffer> b;  ///< Of bytes. The nibbles are its first half.
  const onednn::Weights onednn_b;
  const CheckedWeights bytes, columns;  ///< Without groups, of 8 and of 4 bits.

  Int4Layer(std::int64_t n, std::int64_t k, narrow::Cap cap, const narrow::Parallel& parallel)
      : n(n),
        k(k),
        cap(cap),
        parallel(parallel),
        b(Int8Data::random_b(n, k)),
        onednn_b(n, k, b->data()),
        bytes(describe(narrow::Type::s8), cap, parallel),
        columns(describe(narrow::Type::s4), cap, parallel) {}

  /// Nibbles with an f16 scale for each `group` of k.
  const CheckedWeights& grouped(std::int64_t group) {
    const auto known = groups_.find(group);
    if (known != groups_.end()) return known->second;
    const Buffer scales = random_scales(n * ((k + group - 1) / group));
    narrow::WeightsDesc desc = describe(narrow::Type::s4);
    desc.groups.size = group;
    desc.groups.scale = scales.data();
    desc.groups.scale_type = narrow::Type::f16;
    return groups_.try_emplace(group, desc, cap, parallel).first->second;
  }

 private:
  narrow::WeightsDesc describe(narrow::Type type) const {
    narrow::WeightsDesc desc;
    desc.type = type;
    desc.k = k;
    desc.n = n;
    desc.data = b->data();
    if (type == narrow::Type::s4) desc.stride = (k + 1) / 2 * 2;  // columns start at whole bytes
    return desc;
  }
  static Buffer random_scales(std::int64_t count) {
    Buffer scales(static_cast<std::size_t>(count) * sizeof(std::uint16_t));
    Random random(2);
    for (std::int64_t i = 0; i < count; ++i)
      scales.as<std::uint16_t>()[i] = static_cast<std::uint16_t>(0x2000 + random.next() % 0x400);  // 0.0078 to 0.0156
    return scales;
  }

  std::map<std::int64_t, CheckedWeights> groups_;
};

}  // namespace bench
