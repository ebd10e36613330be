// The limits of the machine, measured by loops that do nothing else.
#pragma once

#include "measure.h"
#include "narrow/isa.h"
#include "narrow/parallel.h"

namespace bench {

/// The multiply-accumulate instructions of a tier issued back to back on registers; work in MACs.
struct Peak {
  const char* name;  ///< "vpdpbusd zmm"
  Contender loop;    ///< loop.run is empty where the tier has no instruction to measure (generic).
};
Peak int8_peak(narrow::Tier tier, const narrow::Parallel& parallel);
Peak binary_peak(narrow::Tier tier, const narrow::Parallel& parallel);
Peak f32_peak(narrow::Tier tier, const narrow::Parallel& parallel);

/// Reading `bytes` bytes once, with the tier's widest loads, shared out over the threads; work in bytes. The
/// better pattern depends on the level that holds the bytes: one stream suits the inner caches, four suit DRAM.
/// Where there are no loops for the tier, run is empty.
Contender read_one_stream(narrow::Tier tier, const void* data, std::size_t bytes, const narrow::Parallel& parallel);
Contender read_four_streams(narrow::Tier tier, const void* data, std::size_t bytes, const narrow::Parallel& parallel);

/// memcpy, shared out over the threads; work in bytes copied.
Contender copy(const void* from, void* to, std::size_t bytes, const narrow::Parallel& parallel);

}  // namespace bench
