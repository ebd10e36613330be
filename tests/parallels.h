// Parallel-fors that are allowed by parallel.h and that no sane pool would be: every order, one thread or a new one a task, on
// threads as a host may have them.
#pragma once

#include <gtest/gtest.h>
#include <limits.h>
#include <pthread.h>

#include <algorithm>
#include <vector>

#include "narrow/parallel.h"
#include "tests/host_floats.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NARROW_TEST_ADDRESS_SANITIZER
#endif
#endif

namespace narrow::test {

struct Schedule {
  const char* name;
  void (*for_each)(void*, int tasks, Parallel::Task task, void* argument);
};

/// A new thread for every task, with no more stack than parallel.h says is needed, or the system allows. Every other one has a
/// host's floats.
inline void thread_for_each_task(void*, int tasks, Parallel::Task task, void* argument) {
  struct Thread {
    pthread_t id;
    int index;
    Parallel::Task task;
    void* argument;
    bool kept;
  };
  const auto run = [](void* p) -> void* {
    auto& t = *static_cast<Thread*>(p);
    if (t.index % 2 == 0) {
      t.task(t.argument, t.index);
      t.kept = true;
    } else {
      const HostFloats floats;
      t.task(t.argument, t.index);
      t.kept = HostFloats::kept();
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
#if !defined(NARROW_TEST_ADDRESS_SANITIZER) && !defined(__SANITIZE_THREAD__)  // whose frames are larger
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::max<std::size_t>(96 << 10, PTHREAD_STACK_MIN)), 0);
#endif
  std::vector<Thread> threads(static_cast<std::size_t>(tasks));
  for (int i = 0; i < tasks; ++i) {
    Thread& t = threads[static_cast<std::size_t>(i)];
    t = {{}, i, task, argument, false};
    ASSERT_EQ(pthread_create(&t.id, &attributes, run, &t), 0);
  }
  for (Thread& t : threads) {
    pthread_join(t.id, nullptr);
    EXPECT_TRUE(t.kept) << "a task has changed its thread's floats";
  }
  pthread_attr_destroy(&attributes);
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
