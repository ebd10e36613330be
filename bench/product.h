// narrow's side of a measurement: packed weights, a plan, scratch memory and an output, ready to run.
#pragma once

#include <cstring>
#include <set>
#include <stdexcept>
#include <string>

#include "buffer.h"
#include "measure.h"
#include "narrow/narrow.h"

namespace bench {

inline void require(narrow::Status status, const char* what) {
  if (!status.ok()) throw std::runtime_error(std::string("narrow: ") + what + ": " + status.reason);
}

class PackedWeights {
 public:
  PackedWeights(const narrow::WeightsDesc& desc, const narrow::Parallel& parallel, Pages pages = Pages::standard) {
    std::size_t bytes = 0;
    require(narrow::Weights::packed_size(desc, &bytes), "size of the packed weights");
    blob_ = Buffer(bytes, pages);
    require(narrow::Weights::pack(desc, blob_.data(), bytes, &view_, parallel), "packing");
  }
  const narrow::Weights& view() const { return view_; }

 private:
  Buffer blob_;
  narrow::Weights view_;
};

/// The contender whose repetition is one call of f, which writes `c`. What is there before is poison: what is checked is what
/// the timed runs write.
template <class F>
Contender writing(const Buffer& c, double work, F f) {
  std::memset(c.data(), 0xa5, c.size());
  return contender(work, f);
}

/// The rows of a result that are checked: the first, one in the middle, the last.
inline std::set<std::int64_t> sampled_rows(std::int64_t m) { return {0, m / 2, m - 1}; }

/// Bytes of a row of values: bits in whole words, nibbles in pairs.
inline std::size_t bytes_of_row(narrow::Type type, std::int64_t values) {
  if (type == narrow::Type::b1) return static_cast<std::size_t>(narrow::bit_row_bytes(values));
  if (type == narrow::Type::s4 || type == narrow::Type::u4) return static_cast<std::size_t>((values + 1) / 2);
  return static_cast<std::size_t>(values) * narrow::size_of(type);
}

/// One product with its own output. The weights must outlive it.
class Product {
 public:
  Product(const narrow::GemmDesc& desc, const narrow::Weights& weights, std::int64_t m, const void* a,
          const narrow::Parallel& parallel)
      : desc_(desc),
        parallel_(parallel),
        a_row_bytes_(bytes_of_row(desc.a, weights.k())),
        row_bytes_(bytes_of_row(desc.c, weights.n())) {
    require(narrow::Gemm::plan(desc, weights, &plan_), "plan");
    c_ = Buffer(static_cast<std::size_t>(m) * row_bytes_);
    scratch_ = Buffer(plan_.scratch_size(m, parallel.threads));
    args_.m = m;
    args_.a = a;
    args_.a_stride = desc.a == narrow::Type::b1 ? narrow::bit_row_bytes(weights.k()) : weights.k();
    macs_ = static_cast<double>(m) * static_cast<double>(weights.n()) * static_cast<double>(weights.k());
    args_.c = c_.data();
    args_.c_stride = static_cast<std::int64_t>(row_bytes_ / narrow::size_of(desc.c));
  }

  void run() { require(plan_.run(args_, scratch_.data(), scratch_.size(), parallel_), "run"); }
  Contender contender() {
    return writing(c_, macs_, [this] { run(); });
  }
  /// Whether the sampled rows are the scalar definition's, each as a product of one row; `defined` is B as that packs it.
  bool equals_definition(const narrow::Weights& defined) const {
    narrow::GemmDesc generic = desc_;
    generic.cap = narrow::Tier::generic;
    for (std::int64_t i : sampled_rows(args_.m)) {
      const auto* a = static_cast<const std::byte*>(args_.a) + static_cast<std::size_t>(i) * a_row_bytes_;
      Product one(generic, defined, 1, a, narrow::serial());
      one.run();
      if (std::memcmp(one.row(0), row(i), row_bytes_) != 0) return false;
    }
    return true;
  }

  /// A and C of one call, and B's `of_b`.
  double bytes(std::size_t of_b) const {
    return static_cast<double>(of_b) + static_cast<double>(args_.m) * static_cast<double>(a_row_bytes_ + row_bytes_);
  }

  const std::byte* row(std::int64_t i) const { return c_.data() + static_cast<std::size_t>(i) * row_bytes_; }
  const narrow::Gemm& plan() const { return plan_; }
  const narrow::GemmArgs& args() const { return args_; }
  const Buffer& scratch() const { return scratch_; }

 private:
  narrow::GemmDesc desc_;
  narrow::Parallel parallel_;
  std::size_t a_row_bytes_, row_bytes_;
  double macs_ = 0;
  narrow::Gemm plan_;
  narrow::GemmArgs args_;
  Buffer c_, scratch_;
};

}  // namespace bench
