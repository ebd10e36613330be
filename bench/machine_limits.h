// The limits of the machine, measured by loops that do nothing else.
#pragma once

#include "measure.h"
#include "narrow/isa.h"
#include "narrow/parallel.h"
#include "row.h"

namespace bench {

/// The multiply-accumulate instructions of a tier issued back to back on registers; work in MACs.
struct Peak {
  const char* name;  ///< "vpdpbusd zmm"
  Contender loop;    ///< loop.run is empty where the tier has no instruction to measure (generic).
};
Peak int8_peak(narrow::Tier tier, const narrow::Parallel& parallel);
Peak int4_peak(narrow::Tier tier, const narrow::Parallel& parallel);
Peak binary_peak(narrow::Tier tier, const narrow::Parallel& parallel);
Peak f32_peak(narrow::Tier tier, const narrow::Parallel& parallel);

/// Reading `bytes` bytes once, with the tier's widest loads, shared out over the threads; work in bytes. The
/// better pattern depends on the level that holds the bytes: one stream suits the inner caches, four suit DRAM.
/// Where there are no loops for the tier, run is empty.
Contender read_one_stream(narrow::Tier tier, const void* data, std::size_t bytes, const narrow::Parallel& parallel);
Contender read_four_streams(narrow::Tier tier, const void* data, std::size_t bytes, const narrow::Parallel& parallel);

/// What bounds a product: multiplying on registers and, for few rows, reading the weights. It is measured with the product and
/// stays where it is until it has filled in the row.
class ProductLimit {
 public:
  /// `weights`: the very bytes that the product reads, or the first of them; `bytes`: as many as it takes to say all of B.
  ProductLimit(Peak peak, narrow::Tier tier, std::int64_t m, const void* weights, std::size_t bytes,
               const narrow::Parallel& parallel);

  void enter(std::vector<Entrant>& entrants);
  /// The row's peak, read, limit and its name. row.macs is there already.
  void fill_in(Row& row) const;

 private:
  Peak peak_;
  std::size_t bytes_;
  Contender one_stream_, four_streams_;  ///< Nothing to run where there are too many rows.
  Series multiplying_, reading_[2];
};

/// memcpy, shared out over the threads; work in bytes copied.
Contender copy(const void* from, void* to, std::size_t bytes, const narrow::Parallel& parallel);

}  // namespace bench
