#include "machine_limits.h"

#include <cstddef>
#include <cstring>
#include <utility>

#include "instruction_loops.h"

namespace bench {
namespace {

constexpr std::int64_t most_gemv_rows = 4;  // up to here reading B may be what takes the time
constexpr long steps = 2000;                // some tens of microseconds a repetition: long against a parallel-for

// Runs task(i) for every thread and returns when all are done.
template <class F>
void on_all(const narrow::Parallel& parallel, F& task) {
  if (parallel.threads == 1) return task(0);
  parallel.for_each(
      parallel.context, parallel.threads, [](void* f, int i) { (*static_cast<F*>(f))(i); }, &task);
}

Peak peak(const Loop& loop, const narrow::Parallel& parallel) {
  if (!loop.run) return {"", {}};
  return {loop.name, contender(static_cast<double>(loop.macs) * steps * parallel.threads, [run = loop.run, parallel] {
            auto task = [run](int) { run(steps); };
            on_all(parallel, task);
          })};
}

Contender reader(ReadLoop read, const void* data, std::size_t bytes, const narrow::Parallel& parallel) {
  const std::size_t share = bytes / static_cast<std::size_t>(parallel.threads) / read_granule * read_granule;
  if (!read || share == 0) return {};
  return contender(static_cast<double>(share) * parallel.threads, [=, start = static_cast<const std::byte*>(data)] {
    auto task = [=](int i) { read(start + static_cast<std::size_t>(i) * share, share); };
    on_all(parallel, task);
  });
}

}  // namespace

Peak int8_peak(narrow::Tier tier, const narrow::Parallel& parallel) { return peak(int8_loop(tier), parallel); }
Peak int4_peak(narrow::Tier tier, const narrow::Parallel& parallel) { return peak(int4_loop(tier), parallel); }
Peak binary_peak(narrow::Tier tier, const narrow::Parallel& parallel) { return peak(binary_loop(tier), parallel); }
Peak f32_peak(narrow::Tier tier, const narrow::Parallel& parallel) { return peak(f32_loop(tier), parallel); }

Contender read_one_stream(narrow::Tier tier, const void* data, std::size_t bytes, const narrow::Parallel& parallel) {
  return reader(read_loops(tier).one_stream, data, bytes, parallel);
}
Contender read_four_streams(narrow::Tier tier, const void* data, std::size_t bytes, const narrow::Parallel& parallel) {
  return reader(read_loops(tier).four_streams, data, bytes, parallel);
}

ProductLimit::ProductLimit(Peak peak, narrow::Tier tier, std::int64_t m, const void* weights, std::size_t bytes,
                           const narrow::Parallel& parallel)
    : peak_(std::move(peak)), bytes_(bytes) {
  if (m > most_gemv_rows) return;
  one_stream_ = read_one_stream(tier, weights, bytes, parallel);
  four_streams_ = read_four_streams(tier, weights, bytes, parallel);
}

void ProductLimit::enter(std::vector<Entrant>& entrants) {
  entrants.push_back({peak_.loop, &multiplying_});
  entrants.push_back({one_stream_, &reading_[0]});
  entrants.push_back({four_streams_, &reading_[1]});
}

void ProductLimit::fill_in(Row& row) const {
  row.limit = row.peak = multiplying_;
  row.limit_name = peak_.name;
  row.read = larger(reading_[0], reading_[1]);
  if (row.read.empty()) return;
  const Series by_reading = scaled(row.read, row.macs / static_cast<double>(bytes_));
  if (stat(by_reading).median < stat(row.peak).median) row.limit_name = "read";
  row.limit = smaller(row.peak, by_reading);
}

Contender copy(const void* from, void* to, std::size_t bytes, const narrow::Parallel& parallel) {
  const std::size_t share = bytes / static_cast<std::size_t>(parallel.threads);
  return contender(static_cast<double>(share) * parallel.threads, [=] {
    auto task = [=](int i) {
      const std::size_t at = static_cast<std::size_t>(i) * share;
      std::memcpy(static_cast<std::byte*>(to) + at, static_cast<const std::byte*>(from) + at, share);
      asm volatile("" : : "r"(to) : "memory");  // the copy is wanted, though nobody reads it
    };
    on_all(parallel, task);
  });
}

}  // namespace bench
