// Weights with groups of k, or of 4 bits: what their panels look like, and how raw weights become such panels.
#pragma once

#include "narrow/weights.h"
#include "src/bits.h"

namespace narrow {

/// What the blob says about its groups.
struct GroupFormat {
  std::int64_t size = 0;  ///< 0: no groups
  Type scale = Type::none;
  ZeroPoints zero_points = ZeroPoints::constant;
};

/// The kernel's element type for raw weights: s4 is packed as u4, with the zero point 8.
constexpr Type packed_type(Type b) { return b == Type::s4 ? Type::u4 : b; }
/// What stands for 0 in the panels of a kernel.
constexpr int packed_zero(Type b, const Geometry& g) { return b == Type::s4 ? 8 : b == Type::u4 ? 0 : g.b_offset; }

GroupFormat group_format(const WeightsDesc& desc) noexcept;
/// For tiles; of A only the layout of rows without scales for groups.
Groups groups_of(const GroupFormat& format, Type b, const Geometry& geometry, std::int64_t k) noexcept;
/// Bytes of a panel.
std::int64_t group_panel_bytes(const GroupFormat& format, Type b, const Geometry& geometry, std::int64_t k) noexcept;

/// Whether sizes and types of a description's groups are right, and then whether their values are.
Status check_groups(const WeightsDesc& desc) noexcept;
Status check_group_values(const WeightsDesc& desc) noexcept;

/// Columns [column, column + nr) of checked weights -> one panel; columns beyond n become zeros. False where a float that is to
/// be quantized is not finite.
bool pack_group_panel(const WeightsDesc& desc, const Geometry& geometry, std::int64_t column, char* panel) noexcept;
/// Likewise without groups, for nibbles and for floats: also the sums of the stored values, and of floats the scales and the
/// zero points (those only where the pointer is not null).
bool pack_column_panel(const WeightsDesc& desc, const Kernel& kernel, std::int64_t column, char* panel, std::int32_t* sums,
                       float* scales, std::int32_t* zero_points) noexcept;

}  // namespace narrow
