// Products over shapes derived from the tiles, on every kernel row of every tier, at full range.
#include "src/blocking.h"
#include "src/cpu.h"
#include "src/driver.h"
#include "tests/check_rows.h"
#include "tests/parallels.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

class Products : public TierTest {};
NARROW_FOR_EACH_TIER(Products);

/// Around every multiple of `unit` up to `last`.
std::set<std::int64_t> around(std::int64_t unit, std::int64_t last) {
  std::set<std::int64_t> some;
  for (std::int64_t i = unit; i <= last; i += unit)
    for (std::int64_t d : {-1, 0, 1})
      if (i + d >= 1 && i + d <= last) some.insert(i + d);
  some.insert(1);
  return some;
}

struct Shapes {
  std::set<std::int64_t> all_m, all_n, all_k, some_m, some_n, some_k;

  explicit Shapes(const Geometry& g) {
    const int mr = *std::max_element(g.max_rows, g.max_rows + max_tile_panels), columns = g.nr * g.max_panels;
    all_m = up_to(2 * mr + 1);
    all_n = up_to(2 * columns + 1);
    all_k = up_to(2 * g.k_unit + 1);
    some_m = {1, 2, mr, mr + 1};
    some_n = around(g.nr, 2 * columns + 1);
    some_k = {1, g.k_unit, g.k_unit + 1, 5 * g.k_unit - 1};
  }
};

TEST_P(Products, EveryRowCount) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Shapes s(kernel->geometry);
    for (Type a : {Type::u8, Type::s8})
      for (std::int64_t n : s.some_n)
        for (std::int64_t k : s.some_k) ASSERT_NO_FATAL_FAILURE(check_rows({.n = n, .k = k, .a = a}, *kernel, s.all_m));
  }
}

TEST_P(Products, EveryColumnCount) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Shapes s(kernel->geometry);
    for (Type a : {Type::u8, Type::s8})
      for (std::int64_t n : s.all_n)
        ASSERT_NO_FATAL_FAILURE(check_rows({.n = n, .k = 2 * kernel->geometry.k_unit - 1, .a = a}, *kernel, s.some_m));
  }
}

TEST_P(Products, EveryKTail) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Shapes s(kernel->geometry);
    for (Type a : {Type::u8, Type::s8, Type::f32})
      for (std::int64_t k : s.all_k)
        for (std::int64_t n : {1, kernel->geometry.nr + 1}) {
          ASSERT_NO_FATAL_FAILURE(check_rows({.n = n, .k = k, .a = a}, *kernel, s.some_m));
          ASSERT_NO_FATAL_FAILURE(
              check_rows({.n = n, .k = k, .a = a, .b_zero_point = Given::each, .c = Type::f32}, *kernel, s.some_m));
        }
  }
}

/// Shapes of several strips and, with few rows, slices of k.
TEST_P(Products, Larger) {
  const Kernel& kernel = *rows_of(GetParam()).front();
  const std::int64_t shapes[][3] = {{1, 3, 5000},   {1, 40, 32768}, {3, 16, 40000},  {2, 700, 333},
                                    {5, 1000, 333}, {17, 33, 65},   {77, 130, 515}, {130, 70, 96}};
  for (const auto& [m, n, k] : shapes)
    for (Type a : {Type::u8, Type::s8, Type::bf16}) {
      Problem problem({.m = m, .n = n, .k = k, .a = a, .a_zero_point = is_float(a) ? Given::none : Given::each,
                       .b_scale = Given::each, .c = Type::f32, .bias = Bias::f32, .seed = 77});
      for (int threads : {1, 8}) ASSERT_TRUE(problem.check(kernel, {threads, schedules[1].for_each, nullptr})) << threads;
    }
}

/// So many rows that what has to be packed of them is packed slab after slab, by one thread and by several.
TEST_P(Products, Slabs) {
  const Kernel& kernel = *rows_of(GetParam()).front();
  Gemm plan;
  for (Type a : {Type::bf16, Type::u8}) {
    Case c{.n = 20,
           .k = 2000,
           .a = a,
           .a_zero_point = is_float(a) ? Given::none : Given::each,
           .b_scale = Given::each,
           .c = Type::f32,
           .bias = Bias::f32,
           .seed = 78};
    ASSERT_TRUE(Problem(c).make_plan(kernel, &plan));
    c.m = 3 * (GemmAccess::product(plan).packed.whole_rows + max_tile_rows) + 1;
    Problem problem(c);
    ASSERT_TRUE(problem.make_plan(kernel, &plan));
    for (int threads : {1, 3}) {
      const Blocking b = blocking(GemmAccess::product(plan), c.m, threads);
      EXPECT_EQ(b.threads, threads);
      EXPECT_GT(divide_up(c.m, b.slab_rows), threads == 1 ? 2 : 1);
      ASSERT_TRUE(problem.check(plan, c.m, {threads, schedules[1].for_each, nullptr})) << threads;
    }
  }
}

/// Products that one tile computes, with all that such a tile may have to see to, and of a row more.
TEST_P(Products, OneTile) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (int panels = 1; panels <= g.max_panels; ++panels)
      for (std::int64_t n : {panels * g.nr - 1, panels * g.nr})
        for (Type a : {Type::u8, Type::s8})
          for (Type c : {Type::s32, Type::f32, Type::s8})
            for (Given a_scale : {Given::tensor, Given::each})
              for (Given a_zero_point : {Given::none, Given::tensor}) {
                const std::int64_t rows = g.max_rows[panels - 1];
                Problem problem({.m = rows + 1,
                                 .n = n,
                                 .k = 2 * g.k_unit,
                                 .a = a,
                                 .a_zero_point = a_zero_point,
                                 .a_scale = a_scale,
                                 .b_scale = Given::each,
                                 .c = c,
                                 .bias = c == Type::s32 ? Bias::s32 : Bias::f32});
                Gemm plan;
                ASSERT_TRUE(problem.make_plan(*kernel, &plan));
                if (c == Type::s32) {
                  ASSERT_EQ(GemmAccess::product(plan).one_tile_rows, rows);
                }
                for (std::int64_t m : {std::int64_t{1}, rows, rows + 1}) ASSERT_TRUE(problem.check(plan, m));
              }
  }
}

/// Few rows of a B in the L2 cache, which some kernels take a panel at a time: with every length of what is left of k after the
/// turns of a tile, whole and partial panels, and all kinds of output.
TEST_P(Products, FewRowsFromTheL2Cache) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    const std::int64_t n = (g.max_panels + 2) * g.nr + 3, k = divide_up(4096 * 8 / g.b_bits, g.nr);
    ASSERT_TRUE(best_as_one_stream(bytes_of_panel(g, k), bytes_of_panel(g, k) * (g.max_panels + 3), l2_bytes()));
    for (Type a : {Type::u8, Type::s8}) {
      for (std::int64_t more = 0; more <= 32 * g.k_unit; more += std::max(1, g.k_unit - 1))
        ASSERT_NO_FATAL_FAILURE(check_rows({.n = n, .k = k + more, .a = a}, *kernel, {1, 2, 3}));
      for (Type c : {Type::s8, Type::u8, Type::f32, Type::bf16})
        for (Given b_zero_point : {Given::none, Given::each})
          ASSERT_NO_FATAL_FAILURE(check_rows(
              {.n = n, .k = k + 1, .a = a, .b_zero_point = b_zero_point, .b_scale = Given::each, .c = c, .bias = Bias::f32},
              *kernel, {1, 2, 3}));
    }
    ASSERT_NO_FATAL_FAILURE(check_rows({.n = n, .k = k + 1, .a = Type::f32, .c = Type::f32}, *kernel, {1, 2, 3}));
  }
}

/// So many rows that B is unpacked for them: all heights of tiles, whole and partial strips, tails of k, and all kinds of
/// output.
TEST_P(Products, UnpackedColumns) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    if (!kernel->unpacking.run) continue;
    const Geometry& g = kernel->unpacking.geometry;
    const std::int64_t strip = g.nr * g.max_panels, from = kernel->unpacking.from_rows;
    std::set<std::int64_t> rows;
    for (std::int64_t m = from - 1; m <= from + max_tile_rows; ++m) rows.insert(m);
    for (Type a : {Type::u8, Type::s8, Type::f32, Type::s4})
      for (std::int64_t n : {std::int64_t{1}, std::int64_t{g.nr}, std::int64_t{g.nr + 1}, strip, 2 * strip + g.nr - 1})
        for (std::int64_t k : {1, 3, 4, 5, 64, 79}) {
          ASSERT_NO_FATAL_FAILURE(
              check_rows({.n = n, .k = k, .a = a, .c = is_float(a) ? Type::f32 : Type::s32}, *kernel, rows));
          ASSERT_NO_FATAL_FAILURE(
              check_rows({.n = n, .k = k, .a = a, .b_zero_point = Given::each, .c = Type::f32}, *kernel, {from, from + 1}));
        }
    for (Type a : {Type::u8, Type::s8})
      for (Type c : {Type::s32, Type::s8, Type::u8, Type::f32, Type::bf16, Type::b1})
        for (Given given : {Given::none, Given::tensor, Given::each}) {
          const Case some{.n = 2 * strip + 3,
                          .k = 70,
                          .a = a,
                          .a_fill = Fill::extremes,
                          .b_fill = Fill::extremes,
                          .a_zero_point = given,
                          .a_scale = c == Type::s32 || c == Type::b1 ? Given::none : given,
                          .b_scale = c == Type::s32 || c == Type::b1 ? Given::none : given,
                          .c = c,
                          .bias = c == Type::s32 || c == Type::b1 ? Bias::none : Bias::f32};
          ASSERT_NO_FATAL_FAILURE(check_rows(some, *kernel, {from, from + 3}));
        }
  }
}

/// So long a k that the sums of more than a few rows are carried from one part of it to the next.
TEST_P(Products, CarriedSums) {
  const Kernel& kernel = *rows_of(GetParam()).front();
  const Geometry& g = kernel.geometry;
  const std::int64_t n = g.nr * g.max_panels + 1, l2 = l2_bytes();
  const int widest = widest_strip(g);
  const std::int64_t k = l2 / 4 / (g.nr * widest) + 3;
  ASSERT_LT(k_of_one_pass(bytes_of_panel(g, widest * k), k, g.k_unit, l2), k);
  const std::int64_t two_tiles = std::max(streaming_rows, g.max_rows[widest - 1]) + 1;
  std::set<std::int64_t> rows = {streaming_rows + 1, two_tiles, max_carried_rows + 3};
  if (kernel.unpacking.run) rows.insert(kernel.unpacking.from_rows);
  for (std::int64_t m : rows)
    for (Type c : {Type::s32, Type::f32})
      for (Given zero_points : {Given::none, Given::each}) {
        Problem problem({.m = m, .n = n, .k = k, .a = Type::u8, .a_zero_point = zero_points, .c = c, .seed = 5});
        Gemm plan;
        ASSERT_TRUE(problem.make_plan(kernel, &plan));
        ASSERT_LT(blocking(GemmAccess::product(plan), m, 1).kc, k);
        ASSERT_TRUE(problem.check(plan, m));
      }
}

TEST_P(Products, ExtremeValues) {
  for (const Kernel* kernel : rows_of(GetParam()))
    for (Type a : {Type::u8, Type::s8})
      for (Fill a_fill : {Fill::lowest, Fill::highest, Fill::extremes})
        for (Fill b_fill : {Fill::lowest, Fill::highest, Fill::extremes})
          for (Given zero_points : {Given::none, Given::tensor, Given::each}) {
            Problem problem({.m = 7, .n = 19, .k = 70, .a = a, .a_fill = a_fill, .b_fill = b_fill, .a_zero_point = zero_points,
                             .b_zero_point = zero_points});
            ASSERT_TRUE(problem.check(*kernel));
          }
}

/// Through Weights::pack and Gemm::plan, with the cap instead of a kernel.
TEST_P(Products, DispatchUnderACap) {
  for (Type a : {Type::u8, Type::s8}) {
    Problem problem({.m = 9, .n = 37, .k = 50, .a = a});
    ASSERT_TRUE(problem.check(Cap(GetParam())));
    Weights weights;
    ASSERT_TRUE(problem.pack(Cap(GetParam()), &weights).ok());
    EXPECT_EQ(weights.tier(), GetParam());
    Gemm plan;
    ASSERT_TRUE(Gemm::plan(problem.desc(), weights, &plan).ok());
    EXPECT_EQ(plan.info().tier, GetParam());
  }
}

TEST_P(Products, EmptyOnes) {
  for (Type a : {Type::u8, Type::f32})
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {0, 0, 0}, {1, 70, 0}})
      for (Type c : {Type::s32, Type::f32, Type::s8}) {
        if (is_float(a) && c == Type::s32) continue;
        Problem problem({.m = m, .n = n, .k = k, .a = a, .a_zero_point = a == Type::u8 ? Given::tensor : Given::none,
                         .b_zero_point = Given::each, .c = c, .bias = c == Type::f32 ? Bias::f32 : Bias::s32});
        ASSERT_TRUE(problem.check(Cap(GetParam())));
      }
}

}  // namespace
}  // namespace narrow::test
