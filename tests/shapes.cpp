// The benchmark's own list: that it can be read, and that what it measures is right on every tier, as far as the scalar
// definition gets there in reasonable time.
#include "bench/shapes.h"

#include <set>

#include "tests/conv_problem.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

std::vector<bench::Shape> listed() {
  std::vector<bench::Shape> shapes;
  std::string error;
  EXPECT_TRUE(bench::parse_shapes(bench::default_shapes, "default_shapes", &shapes, &error)) << error;
  return shapes;
}

TEST(Shapes, ListsHaveEveryOperation) {
  const std::vector<bench::Shape> shapes = listed();
  for (const bench::ShapeFormat& format : bench::shape_formats)
    EXPECT_TRUE(std::any_of(shapes.begin(), shapes.end(), [&](const bench::Shape& s) { return s.op == format.op; })) << format.op;
}

TEST(Shapes, BadLinesAreNamed) {
  for (const char* line : {"int9 1 2 3", "int8 1 2", "int8 1 2 3 4", "int8 0 2 3", "int8 1 -2 3", "int8 1 2 3x", "int8 1 2 99999999999",
                           "conv_binary 1 2 3 4 5 6 7 8"}) {
    std::vector<bench::Shape> shapes;
    std::string error;
    EXPECT_FALSE(bench::parse_shapes(std::string("# comment\nint8 1 2 3\n") + line, "list", &shapes, &error)) << line;
    EXPECT_EQ(error.rfind("list:3: ", 0), 0u) << error;
  }
}

class ShapesOfTheBenchmark : public TierTest {};
NARROW_FOR_EACH_TIER(ShapesOfTheBenchmark);

TEST_P(ShapesOfTheBenchmark, AreRight) {
  constexpr double most_macs = 2.6e7;  // the smallest convolution's, and all below
  std::set<std::string> ops;
  for (const bench::Shape& shape : listed()) {
    const std::vector<std::int64_t>& d = shape.dims;
    SCOPED_TRACE(shape.op + " " + shape.text());
    if (shape.op == "conv_binary") {
      const ConvCase c{d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[7], 1, 1, d[8], d[8], d[8], d[8]};
      const double pixels = static_cast<double>(d[0] * (d[1] / d[7]) * (d[2] / d[7]));
      if (pixels * static_cast<double>(d[3] * d[4] * d[5] * d[6]) > most_macs) continue;
      ops.insert(shape.op);
      ASSERT_EQ(ConvProblem(c, {Padding::zero, Type::s32}).check(GetParam()), "");
      continue;
    }
    if (static_cast<double>(d[0]) * static_cast<double>(d[1]) * static_cast<double>(d[2]) > most_macs) continue;
    ops.insert(shape.op);
    Case c{.m = d[0], .n = d[1], .k = d[2], .a = Type::u8, .c = Type::s32};
    if (shape.op == "binary") c.a = c.b = Type::b1;
    if (shape.op == "int4") c.a = c.c = Type::f32, c.b = Type::s4, c.group = d[3];
    ASSERT_TRUE(Problem(c).check(Cap(GetParam())));
  }
  EXPECT_EQ(ops.size(), std::size(bench::shape_formats));
}

}  // namespace
}  // namespace narrow::test
