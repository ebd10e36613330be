// Threads for real: the adapters, and many threads on one plan. The suites' names begin with Threads, for runs under a
// thread sanitizer.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <thread>

#if defined(_OPENMP)
#include "narrow/parallel_openmp.h"
#endif
#include "narrow/parallel_threads.h"
#include "src/driver.h"
#include "tests/parallels.h"
#include "tests/problem.h"
#include "tests/tiers.h"

#ifndef __has_feature  // of clang
#define __has_feature(x) 0
#endif

namespace narrow::test {
namespace {

class Threads : public TierTest {};
NARROW_FOR_EACH_TIER(Threads);

std::vector<Case> cases() {
  return {
      {.m = 64, .n = 250, .k = 510, .a = Type::u8, .a_zero_point = Given::each, .c = Type::s32},
      {.m = 41, .n = 300, .k = 390, .a = Type::f32, .dynamic = Dynamic::asymmetric, .b_zero_point = Given::each,
       .b_scale = Given::each, .c = Type::f32, .bias = Bias::f32, .activation = Activation::silu},
      {.m = 1, .n = 128, .k = 32000, .a = Type::s8, .b_scale = Given::each, .c = Type::s8},
      {.m = 2, .n = 8, .k = 130000, .a = Type::s8, .b_fill = Fill::random, .c = Type::s32, .accumulate = true},
  };
}

void check_all(const Parallel& parallel, Tier tier) {
  for (const Case& c : cases()) {
    Problem problem(c);
    ASSERT_TRUE(problem.check(Cap(tier), parallel));
  }
}

/// The cases are large enough for threads to be worth their while, some by slices of k.
TEST_P(Threads, AreUsed) {
  int sliced = 0;
  for (const Case& c : cases()) {
    Problem problem(c);
    Gemm plan;
    ASSERT_TRUE(problem.make_plan(Cap(GetParam()), &plan));
    const Blocking b = blocking(GemmAccess::product(plan), c.m, 8);
    EXPECT_GT(b.threads, 1) << c;
    sliced += b.slices > 1;
  }
  EXPECT_GE(sliced, 1);
}

TEST_P(Threads, Pool) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.parallel().threads, threads);
    check_all(pool.parallel(), GetParam());
  }
}

TEST_P(Threads, OneForEachTask) { check_all({8, thread_for_each_task, nullptr}, GetParam()); }

#if defined(_OPENMP)
TEST_P(Threads, OpenMP) {
  for (int threads : {1, 2, 3, 8}) check_all(openmp(threads), GetParam());
}
#endif

/// One plan and one blob, used by many threads at the same time, each with its own C and scratch.
TEST_P(Threads, ShareAPlan) {
  for (const Case& c : cases()) {
    Problem shared(c);
    Gemm plan;
    ASSERT_TRUE(shared.make_plan(Cap(GetParam()), &plan));
    const std::vector<unsigned char> expected = shared.expected();
    const GemmArgs args = shared.args();
    std::vector<std::vector<unsigned char>> results(6, std::vector<unsigned char>(expected.size()));
    std::vector<std::thread> threads;
    for (auto& result : results) {
      std::memcpy(result.data(), shared.c().data(), result.size());
      threads.emplace_back([&plan, &result, args, m = c.m] {
        GemmArgs mine = args;
        mine.c = result.data();
        Guarded scratch(plan.scratch_size(m), Gemm::scratch_alignment);
        for (int i = 0; i < 3; ++i) {
          const std::vector<unsigned char> before = result;
          if (!plan.run(mine, scratch.data(), scratch.size()).ok()) result.clear();
          if (i < 2) std::memcpy(result.data(), before.data(), result.size());
        }
      });
    }
    for (std::thread& t : threads) t.join();
    for (const auto& result : results) ASSERT_EQ(result, expected) << c;
  }
}

/// One pool, used by many threads at the same time: the calls wait for each other.
TEST_P(Threads, ShareAPool) {
  ThreadPool pool(3);
  std::vector<std::thread> threads;
  std::vector<std::string> failures(4);
  for (auto& failure : failures)
    threads.emplace_back([&pool, &failure, tier = GetParam()] {
      for (const Case& c : cases()) {
        Problem problem(c);
        if (testing::AssertionResult r = problem.check(Cap(tier), pool.parallel()); !r) failure = r.message();
      }
    });
  for (std::thread& t : threads) t.join();
  for (const auto& failure : failures) EXPECT_EQ(failure, "");
}

/// The pool's own contract: every task exactly once, and the next call sees what the last one wrote.
TEST(ThreadsPool, EveryTaskOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    const Parallel parallel = pool.parallel();
    for (int tasks : {0, 1, 2, 3, 17, 100}) {
      std::vector<int> calls(static_cast<std::size_t>(tasks), 0);
      for (int round = 1; round <= 20; ++round) {
        parallel.for_each(parallel.context, tasks,
                          [](void* argument, int i) { ++(*static_cast<std::vector<int>*>(argument))[static_cast<std::size_t>(i)]; },
                          &calls);
        for (int count : calls) ASSERT_EQ(count, round) << threads << " threads, " << tasks << " tasks";
      }
    }
  }
}

/// A pool whose threads the system refuses, after some that it grants: an exception, and no thread that is left waiting.
TEST(ThreadsPool, WithoutMemoryForThem) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer)
  GTEST_SKIP() << "sanitizers need more memory than is left here";
#endif
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);  // instead of waiting for ever
    const rlimit limit{1 << 30, 1 << 30};
    setrlimit(RLIMIT_AS, &limit);
    try {
      const ThreadPool pool(1000);
    } catch (const std::exception&) {
      _exit(1);
    }
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "memory is not limited here";
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

/// narrow asks for at most the number of tasks that the caller allows, and never for one without work.
TEST(ThreadsPool, AsksForNoMoreThanAllowed) {
  struct Limit {
    int allowed;
    bool respected;
  } limit{5, true};
  const Parallel parallel{5,
                          [](void* context, int tasks, Parallel::Task task, void* argument) {
                            auto& l = *static_cast<Limit*>(context);
                            l.respected = l.respected && tasks >= 1 && tasks <= l.allowed;
                            for (int i = 0; i < tasks; ++i) task(argument, i);
                          },
                          &limit};
  check_all(parallel, available_tiers().back());
  EXPECT_TRUE(limit.respected);
}

}  // namespace
}  // namespace narrow::test
