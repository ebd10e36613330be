// Packed weights: B[k,n] rearranged once into the panels that the kernels of one tier read.
#pragma once

#include "narrow/isa.h"
#include "narrow/parallel.h"
#include "narrow/status.h"
#include "narrow/types.h"

namespace narrow {

/// Scales and zero points for groups of k: group g of column n is the k in [g * size, (g + 1) * size); the last one may be
/// short. With count = (k + size - 1) / size groups, the values of Order::nk lie as [n][count] (the groups of a column side by
/// side), those of Order::kn as [count][n].
struct GroupsDesc {
  std::int64_t size = 0;             ///< A multiple of 8; 0: the weights have no groups. (Products have a limit: max_k.)
  const void* scale = nullptr;       ///< Finite; never null where there are groups.
  Type scale_type = Type::f32;       ///< f32, bf16 or f16. Packed as they are given: 16 bits are read faster than 32.
  const void* zero_point = nullptr;  ///< Null: 0 for s8 and s4, 8 for u4.
  /// u8: a byte each, whatever the weights are, in their range (of s8 and s4 weights in two's complement); u4 for u4 weights,
  /// s4 for s4 weights: two in a byte, each row of the array beginning with a byte of its own; or f32, bf16, f16: then real =
  /// scale * b - (scale * zero_point), that product rounded to f32; it must be finite, too.
  Type zero_point_type = Type::u8;
};

/// How raw weights of 4 and 8 bits lie in memory: a matrix, or as a file format has them, with its arrays for groups. k and n
/// are multiples of the format's blocks. All but `matrix` have groups, and take neither a stride nor an order.
enum class Layout : std::uint8_t {
  /// Rows of `order` and `stride`: [n][k] or [k][n]; of s4 and u4 two in a byte, the low nibble first: [n][k/2] or [k][n/2].
  matrix = 0,
  /// ONNX MatMulNBits with 4 bits, u4: data [n][count][size / 2] (the last group padded), scales [n][count], zero
  /// points (if any) u4 [n][(count + 1) / 2 bytes] or floats [n][count].
  matmul_nbits = 1,
  /// Blocks of 32 k of ggml, [n][k / 32]: f16 scale d and 16 bytes with k 0..15 in their low nibbles, 16..31 in the high ones;
  /// u4, real = d * (q - 8). groups.size is 32 or 0, groups.scale and zero_point are null.
  ggml_q4_0 = 2,
  ggml_q4_1 = 3,  ///< f16 d, f16 m, and likewise 16 bytes; u4, real = d * q + m.
  ggml_q8_0 = 4,  ///< f16 d and 32 s8; real = d * q.
  /// GPTQ with 4 bits, u4: qweight int32 [k / 8][n] (8 k, the lowest bits first), scales [count][n], zero points (if any) u4,
  /// as qzeros int32 [count][n / 8] in the same order, one less than the zero point (a stored 15 is the zero point 16). k and
  /// n are multiples of 8. Act-order: WeightsDesc::permutation.
  gptq = 5,
  /// AWQ with 4 bits, u4: qweight int32 [k][n / 8], its nibbles from the lowest bits on being columns 0 2 4 6 1 3 5 7; zero
  /// points (if any) u4, int32 [count][n / 8], likewise; scales [count][n].
  awq = 6,
};

/// How weights that are floats find the range that their integers cover, for each group (or each column).
enum class Range : std::uint8_t {
  min_max = 0,  ///< All values.
  mse = 1,      ///< Of 40 ranges cut down in steps of 1/64, the one with the least sum of squared errors.
};

/// Raw weights B[k,n] and their quantization: real(k,n) = scale * (b[k,n] - zero_point), with scale and zero point of
/// the tensor or of column n, or of a group of k of column n.
struct WeightsDesc {
  Type type = Type::s8;       ///< s8, the whole range, -128 included; s4; u4; b1, +1 and -1 as bits (see bit_row_bytes).
  Type operand = Type::b1;    ///< b1 weights: what they are multiplied with, b1, or s8: bytes of any kind (see GemmDesc::a).
  std::int64_t k = 0, n = 0;  ///< From 0; an empty B packs, and gives an empty (n = 0) or a zero (k = 0) product.
  Order order = Order::nk;    ///< For b1 only nk.
  const void* data = nullptr;
  std::int64_t stride = 0;  ///< Elements (b1: bytes) from one row of that order to the next; 0 means dense. For s4 and u4 an
                            ///< even number, dense as well: each row begins with a byte of its own.

  /// Finite, 1 or n values; null means 1. (Columns with scales in f16 or bf16, or zero points as groups have them, are groups
  /// of size k, rounded up to a multiple of 8.)
  const float* scale = nullptr;
  Per scale_per = Per::tensor;  ///< tensor or column.
  /// 1 or n values in the range of the type; null means 0 (u4: 8). None for b1.
  const std::int32_t* zero_point = nullptr;
  Per zero_point_per = Per::tensor;  ///< tensor or column.
  GroupsDesc groups;                 ///< With groups, the four above are not used.

  Layout layout = Layout::matrix;
  /// f32, bf16 or f16: data is a matrix of such, finite, which pack quantizes to s8 or s4 (symmetric) or u4 (with zero points),
  /// for each group (scales of groups.scale_type) or, without groups, each column. Scales and zero points above are then not
  /// used.
  Type data_type = Type::none;
  Range range = Range::min_max;
  /// [k], with groups: group g is made of the k permutation[g * size], permutation[g * size + 1], ... of the data. (Act-order:
  /// the permutation that sorts g_idx, not g_idx itself; ties keep their order.) A keeps its order; products read it by the
  /// permutation. Scales and zero points, those in ggml's blocks too, are in the order of groups. Not for floats (data_type).
  const std::int32_t* permutation = nullptr;

  /// b1: 0, or the columns are filters of a convolution, in so many groups of n / filter_groups, each of them for an A of its
  /// own (see prepare_filters, which also sets what follows: the taps and channels that k is made of, so that Conv can tell
  /// whether they are its own). 0: the columns are no filters. Gemm takes none.
  std::int64_t filter_groups = 0;
  std::int64_t filter_h = 0, filter_w = 0, filter_c = 0;

  Cap cap;  ///< The panels are laid out for the best available tier under this cap.
};

/// A view of packed weights: the blob stays where the caller put it and must outlive the view and every plan made from
/// it. Immutable, so any number of threads may share one.
///
/// The blob is one position-independent, little-endian piece of memory, aligned to 64 bytes: header (magic, version, panel
/// layout, sizes, checksum), column parameters, panels. It may be written to a file and mapped back, at a multiple of
/// 64 bytes, on a machine that has the tier it was packed for (bits on avx512vnni: and VPOPCNTDQ, if the packing machine had
/// it). The same blob serves every m. What was packed from is no longer needed.
class Weights {
 public:
  static constexpr std::size_t alignment = 64;

  /// Bytes of the blob that pack writes for this description. Of its arrays only whether they are null counts: set them as for
  /// pack.
  [[nodiscard]] NARROW_API static Status packed_size(const WeightsDesc& desc, std::size_t* bytes) noexcept;

  /// Packs into the caller's buffer, in parallel, and opens the result. `buffer` is aligned to 64 bytes and holds `bytes`.
  /// k above 2^24 - 1 is refused with Code::overflow. A shorter k packs; whether its products are exact depends on the
  /// activations, so that is the plan's matter (see max_k).
  [[nodiscard]] NARROW_API static Status pack(const WeightsDesc& desc, void* buffer, std::size_t bytes, Weights* out,
                                              const Parallel& parallel = serial()) noexcept;

  /// Checks a blob (magic, version, layout, sizes, checksum; never reading past `bytes`) and makes a view of it. All of it is
  /// read for that, which a mapped file has to bring in.
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

/// Packs weights block by block of columns, so that they need never be in memory as a whole before they are packed: begin, add
/// until all columns are there, finish. The blob of n > 0 columns is the same as Weights::pack's, byte by byte.
class WeightsStream {
 public:
  /// Blocks have a multiple of so many columns, but for the last.
  static constexpr std::int64_t unit = 64;

  /// `whole` describes all of the weights; of its arrays, that of the permutation is read, of the others only whether they are
  /// null. In the order nk (which every layout but gptq and awq has), and no groups of filters. The buffer is as for
  /// Weights::pack.
  [[nodiscard]] NARROW_API static Status begin(const WeightsDesc& whole, void* buffer, std::size_t bytes,
                                               WeightsStream* out) noexcept;
  /// The next block.n columns. `block` differs from `whole` in nothing but n and where its arrays are, each with those columns
  /// only.
  [[nodiscard]] NARROW_API Status add(const WeightsDesc& block, const Parallel& parallel = serial()) noexcept;
  [[nodiscard]] NARROW_API Status finish(Weights* out) noexcept;

 private:
  friend struct WeightsAccess;
  WeightsDesc whole_;
  const void* kernel_ = nullptr;
  void* buffer_ = nullptr;
  std::int64_t columns_ = 0, panels_ = 0;  ///< added
  std::uint64_t hash_ = 0;
  std::int64_t bound_ = 0;
};

/// The largest k for which every product of full-range operands of these types is exact in int32, zero points included:
/// a is u8, s8, u4 or s4 (a float A is quantized to one of the first two) and b is s8, u4, s4 or b1, or both are b1 (0 for
/// other types), and no more than can be packed, 2^24 - 1; `zero_points` says whether either side has one. Longer k is accepted
/// all the same where no sum can leave int32: the blob keeps the largest column sum of |b - zero_point|, of s8 weights that are
/// given as such, and for all others the most that k values of their range can come to. Elsewhere, Code::overflow.
NARROW_API std::int64_t max_k(Type a, Type b, bool zero_points) noexcept;

}  // namespace narrow
