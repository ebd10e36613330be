// Packed weights: B[k,n] rearranged once into the panels that the kernels of one tier read.
#pragma once

#include "narrow/isa.h"
#include "narrow/parallel.h"
#include "narrow/status.h"
#include "narrow/types.h"

namespace narrow {

/// Scales and zero points for groups of k: group g of column n is the k in [g * size, (g + 1) * size); the last one may be short.
/// With count = (k + size - 1) / size groups, the values of Order::nk lie as [n][count] (the groups of a column side by side),
/// those of Order::kn as [count][n].
struct GroupsDesc {
  std::int64_t size = 0;         ///< A multiple of 8; 0: the weights have no groups.
  const void* scale = nullptr;   ///< Finite; never null where there are groups.
  Type scale_type = Type::f32;   ///< f32, bf16 or f16. Packed as they are given: 16 bits are read faster than 32.
  const void* zero_point = nullptr;  ///< Null: 0 for s8 and s4, 8 for u4.
  /// u8 (values in the range of the weights; as s8 for s8 and s4 weights), u4 or s4 (two in a byte, each row of the array beginning
  /// with a byte of its own), or f32, bf16, f16 (finite): then real = scale * b - (scale * zero_point), the product
  /// rounded to f32.
  Type zero_point_type = Type::u8;
};

/// Raw weights B[k,n] and their quantization: real(k,n) = scale * (b[k,n] - zero_point), with scale and zero point of
/// the tensor or of column n, or of a group of k of column n.
struct WeightsDesc {
  Type type = Type::s8;       ///< s8, the whole range, -128 included; b1, +1 and -1 as bits (see bit_row_bytes); with groups also
                              ///< s4 and u4.
  Type operand = Type::b1;    ///< b1 weights: what they are multiplied with, b1, or s8: bytes of any kind (see GemmDesc::a).
  std::int64_t k = 0, n = 0;  ///< From 0; an empty B packs, and gives an empty (n = 0) or a zero (k = 0) product.
  Order order = Order::nk;    ///< For b1 only nk.
  const void* data = nullptr;
  std::int64_t stride = 0;  ///< Elements (b1: bytes) from one row of that order to the next; 0 means dense. For s4 and u4 an even
                            ///< number: each row begins with a byte of its own.

  const float* scale = nullptr;  ///< Finite, 1 or n values; null means 1.
  Per scale_per = Per::tensor;   ///< tensor or column.
  const std::int32_t* zero_point = nullptr;  ///< -128..127, 1 or n values; null means 0. None for b1.
  Per zero_point_per = Per::tensor;          ///< tensor or column.
  GroupsDesc groups;                         ///< With groups, the four above are not used.

  Cap cap;  ///< The panels are laid out for the best available tier under this cap.
};

/// A view of packed weights: the blob stays where the caller put it and must outlive the view and every plan made from
/// it. Immutable, so any number of threads may share one.
///
/// The blob is one position-independent, little-endian piece of memory, aligned to 64 bytes: header (magic, version, panel
/// layout, sizes, checksum), column parameters, panels. It may be written to a file and mapped back on a machine that
/// has the tier it was packed for (all rows of one tier share the layout, so the same blob serves every m).
class Weights {
 public:
  static constexpr std::size_t alignment = 64;

  /// Bytes of the blob that pack writes for this description (data, scale and zero_point are not read).
  [[nodiscard]] NARROW_API static Status packed_size(const WeightsDesc& desc, std::size_t* bytes) noexcept;

  /// Packs into the caller's buffer, in parallel, and opens the result. `buffer` is aligned to 64 bytes and holds `bytes`.
  /// k above 2^24 - 1 is refused with Code::overflow. A shorter k packs; whether its products are exact depends on the
  /// activations, so that is the plan's matter (see max_k).
  [[nodiscard]] NARROW_API static Status pack(const WeightsDesc& desc, void* buffer, std::size_t bytes, Weights* out,
                                              const Parallel& parallel = serial()) noexcept;

  /// Checks a blob (magic, version, layout, sizes, checksum; never reading past `bytes`) and makes a view of it.
  /// A blob for a tier that this machine lacks opens; it is the plan that is refused.
  [[nodiscard]] NARROW_API static Status open(const void* blob, std::size_t bytes, Weights* out) noexcept;

  std::int64_t k() const noexcept { return k_; }
  std::int64_t n() const noexcept { return n_; }
  Type type() const noexcept { return type_; }
  Tier tier() const noexcept { return tier_; }  ///< The tier whose kernels read this layout.
  const void* blob() const noexcept { return blob_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  friend struct WeightsAccess;
  const void* blob_ = nullptr;
  std::size_t bytes_ = 0;
  std::int64_t k_ = 0, n_ = 0;
  Type type_ = Type::none;
  Tier tier_ = Tier::generic;
};

/// The largest k for which every product of full-range operands of these types is exact in int32, zero points included:
/// a is u8 or s8 (a float A is quantized to one of these) and b is s8 or b1, or both are b1 (0 for other types); `zero_points`
/// says whether either side has one. Longer k is accepted all the same
/// where the packed values prove that no sum can leave int32 (the largest column sum of |b - zero_point| is kept in the
/// blob), and refused with Code::overflow elsewhere.
NARROW_API std::int64_t max_k(Type a, Type b, bool zero_points) noexcept;

}  // namespace narrow
