// narrow's side of a measurement: packed weights, a plan, scratch memory and an output, ready to run.
#pragma once

#include <cstring>
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
  PackedWeights(const narrow::WeightsDesc& desc, const narrow::Parallel& parallel) {
    std::size_t bytes = 0;
    require(narrow::Weights::packed_size(desc, &bytes), "size of the packed weights");
    blob_ = Buffer(bytes);
    require(narrow::Weights::pack(desc, blob_.data(), bytes, &view_, parallel), "packing");
  }
  const narrow::Weights& view() const { return view_; }

 private:
  Buffer blob_;
  narrow::Weights view_;
};

/// One product with its own output. The weights must outlive it.
class Product {
 public:
  Product(const narrow::GemmDesc& desc, const narrow::Weights& weights, std::int64_t m, const void* a,
          const narrow::Parallel& parallel)
      : parallel_(parallel),
        row_bytes_(desc.c == narrow::Type::b1 ? static_cast<std::size_t>(narrow::bit_row_bytes(weights.n()))
                                              : static_cast<std::size_t>(weights.n()) * narrow::size_of(desc.c)) {
    require(narrow::Gemm::plan(desc, weights, &plan_), "plan");
    c_ = Buffer(static_cast<std::size_t>(m) * row_bytes_);
    scratch_ = Buffer(plan_.scratch_size(m, parallel.threads));
    args_.m = m;
    args_.a = a;
    args_.a_stride = desc.a == narrow::Type::b1 ? narrow::bit_row_bytes(weights.k()) : weights.k();
    macs_ = static_cast<double>(m) * static_cast<double>(weights.n()) * static_cast<double>(weights.k());
    args_.c = c_.data();
    args_.c_stride = static_cast<std::int64_t>(row_bytes_ / narrow::size_of(desc.c));
    run();
  }

  void run() { require(plan_.run(args_, scratch_.data(), scratch_.size(), parallel_), "run"); }
  Contender contender() {
    std::memset(c_.data(), 0xa5, c_.size());  // what is checked is what the timed runs write
    return bench::contender(macs_, [this] { run(); });
  }
  const std::byte* row(std::int64_t i) const { return c_.data() + static_cast<std::size_t>(i) * row_bytes_; }
  std::size_t row_bytes() const { return row_bytes_; }
  const narrow::Gemm& plan() const { return plan_; }
  const narrow::GemmArgs& args() const { return args_; }
  const Buffer& scratch() const { return scratch_; }

 private:
  narrow::Parallel parallel_;
  std::size_t row_bytes_;
  double macs_ = 0;
  narrow::Gemm plan_;
  narrow::GemmArgs args_;
  Buffer c_, scratch_;
};

}  // namespace bench
