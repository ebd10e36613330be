// Parallel-fors that are allowed by parallel.h and that no sane pool would be: every order, one thread or a new one a task.
#pragma once

#include <thread>
#include <vector>

#include "narrow/parallel.h"

namespace narrow::test {

struct Schedule {
  const char* name;
  void (*for_each)(void*, int tasks, Parallel::Task task, void* argument);
};

/// A new thread for every task.
inline void thread_for_each_task(void*, int tasks, Parallel::Task task, void* argument) {
  std::vector<std::thread> threads;
  for (int i = 0; i < tasks; ++i) threads.emplace_back(task, argument, i);
  for (std::thread& t : threads) t.join();
}

inline constexpr Schedule schedules[] = {
    {"in order on one thread",
     [](void*, int tasks, Parallel::Task task, void* argument) {
       for (int i = 0; i < tasks; ++i) task(argument, i);
     }},
    {"in reverse order on one thread",
     [](void*, int tasks, Parallel::Task task, void* argument) {
       for (int i = tasks; i-- > 0;) task(argument, i);
     }},
    {"even tasks after the odd ones",
     [](void*, int tasks, Parallel::Task task, void* argument) {
       for (int i = 1; i < tasks; i += 2) task(argument, i);
       for (int i = 0; i < tasks; i += 2) task(argument, i);
     }},
    {"a thread for each task", thread_for_each_task},
    {"without a parallel-for", nullptr},
};

}  // namespace narrow::test
