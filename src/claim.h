// Tasks that claim pieces of work one after another until none is left: a slow thread holds nobody up by more than a piece.
#pragma once

#include <atomic>
#include <cstdint>

#include "narrow/parallel.h"
#include "src/default_floats.h"

namespace narrow {

/// Calls body(task, piece, state) for every piece in [0, pieces), shared out over up to parallel.threads tasks. `task` tells
/// the calls apart that run at the same time (it indexes per-thread scratch); each task sees rising pieces, and a State of its
/// own, which begins as State{}.
template <class State, class Body>
void claim_with(const Parallel& parallel, std::int64_t pieces, const Body& body) {
  const std::int64_t tasks = parallel.for_each && parallel.threads < pieces ? parallel.threads : parallel.for_each ? pieces : 1;
  if (tasks <= 1) {
    const DefaultFloats floats;
    State state{};
    for (std::int64_t i = 0; i < pieces; ++i) body(0, i, state);
    return;
  }
  struct Shared {
    const Body& body;
    std::int64_t pieces;
    std::atomic<std::int64_t> next;
  } shared{body, pieces, {0}};
  parallel.for_each(
      parallel.context, static_cast<int>(tasks),
      [](void* argument, int task) {
        const DefaultFloats floats;
        auto& s = *static_cast<Shared*>(argument);
        State state{};
        for (std::int64_t i; (i = s.next.fetch_add(1, std::memory_order_relaxed)) < s.pieces;) s.body(task, i, state);
      },
      &shared);
}

/// body(task, piece).
template <class Body>
void claim(const Parallel& parallel, std::int64_t pieces, const Body& body) {
  struct None {};
  claim_with<None>(parallel, pieces, [&](int task, std::int64_t piece, None&) { body(task, piece); });
}

}  // namespace narrow
