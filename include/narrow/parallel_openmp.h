// Adapter: OpenMP as the parallel-for. Header-only; compile the including file with OpenMP enabled.
#pragma once

#include <omp.h>

#include "narrow/parallel.h"

namespace narrow {

/// `threads` 0: as many as omp_get_max_threads() says now.
inline Parallel openmp(int threads = 0) noexcept {
  if (threads <= 0) threads = omp_get_max_threads();
  return {threads,
          [](void*, int tasks, Parallel::Task task, void* argument) {
#pragma omp parallel for schedule(static, 1) num_threads(tasks)
            for (int i = 0; i < tasks; ++i) task(argument, i);
          },
          nullptr};
}

}  // namespace narrow
