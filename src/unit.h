// What one thread computes at a time: strips of columns, tile by tile, and on to C.
#pragma once

#include "src/operand.h"

namespace narrow {

/// Where a unit of work lies in its item.
struct Unit {
  std::int64_t row, rows;  ///< of the item
  std::int64_t panel, panels;
  std::int64_t k, k_count;  ///< a slice of padded k
  std::int32_t* partial;    ///< null: sums are finished here; else [rows][padded n] of this slice, at row 0
  char* unpacked;           ///< Product::unpacked_bytes of scratch, or null where `partial` is not
};

/// Strips of one unit, in passes of kc over each. `rows` is A at the unit's first row.
void compute(const Product& p, const GemmArgs& item, const Rows& rows, const Unit& unit, int strip_panels, std::int64_t kc);

/// A product of up to Product::one_tile_rows rows: the smallest ones, where a call is to cost little beside the sums.
void compute_tile(const Product& p, const GemmArgs& item, const Rows& rows);

/// Adds up the slices of k for one strip of one row and finishes it.
void reduce(const Product& p, const GemmArgs& item, const Rows& rows, const std::int32_t* partial, int slices, std::int64_t row,
            std::int64_t panel, int panels);

}  // namespace narrow
