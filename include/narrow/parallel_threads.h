// Adapter: a small pool of std::thread as the parallel-for. Header-only; link with the platform's threads.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "narrow/parallel.h"

namespace narrow {

/// A pool of `threads - 1` workers; the caller is the last one. Workers spin for the next call, two milliseconds where the
/// machine has a processor for each thread, then sleep. One call at a time: concurrent calls on one pool wait for each other
/// (and one from within a task of the same pool would wait for ever). Pass pool.parallel() to narrow; the pool must outlive the
/// calls that use it. A child after fork() has no workers and needs a pool of its own.
class ThreadPool {
 public:
  /// Throws what std::thread does where the system refuses one.
  explicit ThreadPool(int threads) : patience_(threads <= static_cast<int>(std::thread::hardware_concurrency()) ? 2000 : 10) {
    for (int i = 1; i < threads; ++i) workers_.threads.emplace_back([this] { work(); });
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Parallel parallel() noexcept { return {workers_.count() + 1, &ThreadPool::for_each, this}; }

 private:
  using Clock = std::chrono::steady_clock;

  static void for_each(void* context, int tasks, Parallel::Task task, void* argument) {
    auto& pool = *static_cast<ThreadPool*>(context);
    std::lock_guard one_call(pool.call_);
    {
      std::lock_guard lock(pool.mutex_);
      pool.task_ = task;
      pool.argument_ = argument;
      pool.tasks_ = tasks;
      pool.next_.store(0, std::memory_order_relaxed);
      pool.busy_.store(pool.workers_.count(), std::memory_order_relaxed);
      pool.generation_.fetch_add(1, std::memory_order_release);
    }
    pool.wake_.notify_all();
    pool.drain();
    while (pool.busy_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
  }

  void drain() {
    for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) task_(argument_, i);
  }

  void work() {
    for (unsigned seen = 0;;) {
      const auto sleep = Clock::now() + patience_;
      while (generation_.load(std::memory_order_acquire) == seen && Clock::now() < sleep) {
      }
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      }
      {
        std::lock_guard lock(mutex_);  // orders the reads of the call's fields after the caller's writes
        seen = generation_.load(std::memory_order_relaxed);
        if (stop_) return;
      }
      drain();
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  /// More than passes between two layers of a network. Linux may wake a worker on the very processor on which its caller
  /// computes, and moves it only if it stays busy there: workers that soon slept again left calls of less than a millisecond,
  /// one after the other, at the pace of one thread.
  const std::chrono::microseconds patience_;
  std::mutex call_, mutex_;
  std::condition_variable wake_;
  std::atomic<unsigned> generation_{0};
  std::atomic<int> next_{0}, busy_{0};
  Parallel::Task task_ = nullptr;
  void* argument_ = nullptr;
  int tasks_ = 0;
  bool stop_ = false;

  /// The last member, and so the first to go, be it that the constructor throws: the others are what the threads wait for.
  struct Workers {
    ThreadPool* pool;
    std::vector<std::thread> threads;

    int count() const noexcept { return static_cast<int>(threads.size()); }
    ~Workers() {
      pool->stop();
      for (std::thread& t : threads) t.join();
    }
  } workers_{this, {}};
};

}  // namespace narrow
