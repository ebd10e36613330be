// Products of many rows and few on one set of weights, as the tests of shapes go through them.
#pragma once

#include <set>

#include "src/driver.h"
#include "src/gemm.h"
#include "tests/problem.h"

namespace narrow::test {

inline Case bits(std::int64_t m, std::int64_t n, std::int64_t k) {
  return {.m = m, .n = n, .k = k, .a = Type::b1, .b = Type::b1};
}

/// Every m in `ms` on one set of weights.
inline void check_rows(Case c, const Kernel& kernel, const std::set<std::int64_t>& ms) {
  c.m = *ms.rbegin();
  c.seed = static_cast<std::uint64_t>((c.m * 1000 + c.n) * 1000 + c.k);
  c.edge = c.seed % 3 == 0 ? Edge::front : Edge::back;
  c.pad = c.seed % 2 == 0 ? 0 : 3;
  if (c.b != Type::b1) c.order = c.seed % 5 < 2 ? Order::kn : Order::nk;
  Problem problem(c);
  Gemm plan;
  ASSERT_TRUE(problem.make_plan(kernel, &plan));
  // Few rows take B in either way, whatever this processor's is (see Cpu::one_stream); and so do many, whatever pays.
  Product& product = GemmAccess::product(plan);
  if (c.seed % 4 < 2) product.near_rows = 0;  // as if C were far
  const std::int64_t unpack_rows = kernel.unpacking.run ? kernel.unpacking.from_rows : never_unpacks;
  for (std::int64_t m : ms)
    for (int stream_rows : std::set{0, kernel.stream_rows})
      for (std::int64_t from : std::set{unpack_rows, never_unpacks}) {
        if ((stream_rows > 0 && m > stream_rows) || (from != never_unpacks && m < from)) continue;
        product.stream_rows = stream_rows;
        product.unpack_rows = from;
        ASSERT_TRUE(problem.check(plan, m));
      }
}

inline std::set<std::int64_t> up_to(std::int64_t last) {
  std::set<std::int64_t> all;
  for (std::int64_t i = 1; i <= last; ++i) all.insert(i);
  return all;
}

}  // namespace narrow::test
