// Tile functions, one kernel row at a time: every (rows, panels) of every row, without dispatch and driver.
#include <set>

#include "src/blocking.h"
#include "tests/kernel_rows.h"

namespace narrow::test {
namespace {

class Tiles : public TierTest {};
NARROW_FOR_EACH_TIER(Tiles);

TEST_P(Tiles, RowsAreWellFormed) {
  const auto rows = rows_of(GetParam());
  ASSERT_FALSE(rows.empty());
  for (const Kernel* kernel : rows) {
    SCOPED_TRACE(kernel->name);
    const Geometry& g = kernel->geometry;
    EXPECT_EQ(kernel->tier, GetParam());
    EXPECT_TRUE(g.a == Type::u8 || g.a == Type::s8 || g.a == Type::s16);
    EXPECT_EQ(g.k_unit % g.kr, 0);
    ASSERT_GE(g.max_panels, 1);
    ASSERT_LE(g.max_panels, max_tile_panels);
    EXPECT_LE(g.max_panels * g.nr, max_tile_cols);
    for (int p = 0; p < max_tile_panels; ++p) {
      EXPECT_LE(g.max_rows[p], max_tile_rows);
      EXPECT_EQ(g.max_rows[p] > 0, p < g.max_panels);
      for (const TileSet& set : {kernel->to_sums, kernel->to_reals})
        for (TileTable tiles : {set.plain, set.flipped, set.indirect})
          for (int r = 0; tiles && r < max_tile_rows; ++r)
            EXPECT_EQ(tiles[p][r] != nullptr, r < g.max_rows[p]) << p << ',' << r;
    }
    ASSERT_NE(kernel->to_sums.plain, nullptr);
    EXPECT_EQ(!kernel->to_sums.unpacked, !kernel->unpacking.run);
    EXPECT_EQ(!kernel->to_reals.unpacked, !kernel->unpacking.run);
    EXPECT_EQ(!kernel->to_reals.flipped, !kernel->to_reals.plain || !kernel->to_sums.flipped);
    EXPECT_EQ(kernel->to_reals.plain != nullptr, kernel->tier != Tier::generic);
    EXPECT_TRUE(kernel->to_reals.plain || !kernel->reals_to_bytes);
    std::string ending = std::string("_") + name(kernel->tier);
    EXPECT_EQ(std::string(kernel->name).rfind(ending), std::string(kernel->name).size() - ending.size());
  }
}

TEST_P(Tiles, EqualTheScalarSum) {
  for (const Kernel* kernel : rows_of(GetParam())) check_all_tiles(*kernel);
}

/// What many rows are cut into has its tile, and there are no others.
TEST_P(Tiles, OfUnpackedColumns) {
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Unpacking& unpacking = kernel->unpacking;
    if (!unpacking.run) continue;
    const Geometry &g = unpacking.geometry, &packed = kernel->geometry;
    EXPECT_EQ(g.nr, packed.nr);
    EXPECT_EQ(g.a, packed.a);
    EXPECT_EQ(packed.k_unit % g.kr, 0);
    EXPECT_GT(unpacking.from_rows, max_tile_rows);
    for (int panels = 1; panels <= max_tile_panels; ++panels) {
      std::set<std::int64_t> occurring;
      const int most = g.max_rows[panels - 1];
      EXPECT_EQ(most > 0, panels <= g.max_panels);
      for (std::int64_t m = unpacking.from_rows; most > 0 && m < 20 * max_tile_rows; ++m) {
        const Parts tiles = split_rows(m, most, 1);
        occurring.insert({tiles[0], tiles[tiles.count - 1]});
      }
      for (TileTable tiles : {kernel->to_sums.unpacked, kernel->to_reals.unpacked})
        for (int rows = 1; rows <= max_tile_rows; ++rows)
          EXPECT_EQ(tiles[panels - 1][rows - 1] != nullptr, occurring.count(rows) == 1) << rows << 'x' << panels;
    }
  }
}

TEST_P(Tiles, EveryColumnCount) {
  Rng rng(5);
  for (const Kernel* kernel : rows_of(GetParam())) {
    for (bool unpacked : ways(*kernel)) {
      const Geometry& g = tile_geometry(*kernel, unpacked);
      const std::int64_t k = g.k_unit + 1;
      for (int panels = 1; panels <= g.max_panels; ++panels) {
        const int rows = g.max_rows[panels - 1];
        const PackedA a = pack_rows(*kernel, Type::s8, rows, k, Fill::random, rng);
        for (int cols = (panels - 1) * g.nr + 1; cols <= panels * g.nr; ++cols) {
          const PackedB b = pack_columns(*kernel, Order::nk, cols, k, Fill::random, rng);
          ASSERT_TRUE(check_tile(*kernel, unpacked, rows, a, b, k, cols, rng));
        }
      }
    }
  }
}

TEST_P(Tiles, EveryKTail) {
  Rng rng(6);
  for (const Kernel* kernel : rows_of(GetParam())) {
    for (bool unpacked : ways(*kernel)) {
      const Geometry& g = tile_geometry(*kernel, unpacked);
      const int cols = g.nr + 1 <= g.nr * g.max_panels ? g.nr + 1 : g.nr, panels = (cols + g.nr - 1) / g.nr;
      for (std::int64_t k = 1; k <= 5 * g.k_unit + 1; ++k)
        for (int rows : {unpacked ? g.max_rows[panels - 1] - 1 : 1, g.max_rows[panels - 1]}) {
          const PackedA a = pack_rows(*kernel, Type::u8, rows, k, Fill::random, rng);
          const PackedB b = pack_columns(*kernel, Order::kn, cols, k, Fill::random, rng);
          ASSERT_TRUE(check_tile(*kernel, unpacked, rows, a, b, k, cols, rng));
        }
    }
  }
}

/// -128 x -128 in every position: the case that saturating instructions and sign tricks get wrong.
TEST_P(Tiles, Extremes) {
  Rng rng(7);
  for (const Kernel* kernel : rows_of(GetParam())) {
    const Geometry& g = kernel->geometry;
    for (Type type : {Type::u8, Type::s8})
      for (Fill a_fill : {Fill::lowest, Fill::highest, Fill::extremes})
        for (Fill b_fill : {Fill::lowest, Fill::highest, Fill::extremes})
          for (std::int64_t k : {std::int64_t{1}, std::int64_t{2}, std::int64_t{g.kr}, std::int64_t{8 * g.k_unit + 3}}) {
            const PackedA a = pack_rows(*kernel, type, g.max_rows[0], k, a_fill, rng);
            const PackedB b = pack_columns(*kernel, Order::nk, g.nr, k, b_fill, rng);
            ASSERT_TRUE(check_tile(*kernel, false, g.max_rows[0], a, b, k, g.nr, rng));
            if (kernel->unpacking.run) {
              const int rows = kernel->unpacking.geometry.max_rows[0];
              const PackedA more = pack_rows(*kernel, type, rows, k, a_fill, rng);
              ASSERT_TRUE(check_tile(*kernel, true, rows, more, b, k, g.nr, rng));
            }
          }
  }
}

}  // namespace
}  // namespace narrow::test
