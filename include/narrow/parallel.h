// The caller's threads. narrow owns none: where work can be shared, the caller passes a parallel-for.
#pragma once

namespace narrow {

/// A parallel-for that the caller provides. `for_each(context, tasks, task, argument)` must call
/// task(argument, i) exactly once for every i in [0, tasks), on any threads, in any order, and return when all have
/// returned. narrow asks for at most `threads` tasks at a time; tasks never wait for each other, so running them one
/// after another is correct. It must not throw. Results do not depend on `threads` or on the schedule.
/// Thread-safety: one Parallel may serve several calls at once if its for_each may.
/// A task, like any call without threads, takes less than 96 KiB of stack. Whatever floating-point environment its thread has
/// (rounding, FTZ, DAZ, traps), it computes in the default one and leaves the other as it was.
struct Parallel {
  using Task = void (*)(void* argument, int index);

  int threads = 1;
  void (*for_each)(void* context, int tasks, Task task, void* argument) = nullptr;  ///< null: run on the calling thread
  void* context = nullptr;
};

/// The calling thread alone.
inline constexpr Parallel serial() noexcept { return {}; }

}  // namespace narrow
