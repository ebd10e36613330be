// C[m,n] = epilogue(A[m,k] * B[k,n]): low-bit products with fused quantization.
#pragma once

#include <cstring>

#include "narrow/weights.h"

namespace narrow {

/// How a float A is quantized on the way in, row by row: the scale comes from each row's own range.
enum class Dynamic : std::uint8_t {
  symmetric = 0,   ///< scale = absmax / 127, zero point 0, values -127..127.
  asymmetric = 1,  ///< scale = (max(row, 0) - min(row, 0)) / 255, zero point 0..255.
};

/// How an s8 or u8 output is rounded back to integers.
enum class Requantize : std::uint8_t {
  float_multiplier = 0,  ///< q = round(y * (1 / c_scale)) + c_zero_point, to nearest, ties to even, saturating.
  /// q = round(sum * multiplier / 2^shift) + c_zero_point in integers only, ties to even, saturating. For s8 and u8 outputs, an
  /// integer A with one scale for all rows, an s32 bias; the bounds of a clamp are still divided by c_scale.
  fixed_point = 1,
};

/// Everything about a product but its data and m. (For weights with groups of k see below.) With
///   sum[i,j] = sum over k of (a[i,k] - a_zero_point_i) * (b[k,j] - b_zero_point_j)   (+ bias[j] if s32), exact in int32,
///   y = fma(float(sum), a_scale * b_scale_j, bias[j])            (bias 0 unless f32; fma(float(sum) * a_scale_i, b_scale_j,
///                                                                 bias[j]) where rows have their own scales)
///   y = y + C[i,j] (accumulate), y = y + residual[i,j], y = activation(y)
/// the output is sum (s32), y (f32, bf16, f16, rounded to nearest even), y requantized (s8, u8) or a comparison of sum (b1).
/// docs/arithmetic.md gives each step to the last rounding; every tier, thread count and m yields the same bits.
///
/// Weights with groups of k (WeightsDesc::groups) take A as s8, s4 or u4 with zero point 0, or floats quantized symmetrically,
/// and give every output but s32, b1 and fixed_point, without an s32 bias. With the sum I_g of a group, exact in int32, in the
/// place of float(sum) stands
///   F = 0;  F = fma(float(I_g), b_scale[g,j], F) for g = 0, 1, ...
///   I_g = sum over the group of a[i,k] * (b[k,j] - b_zero_point[g,j])
/// and the b_scale_j that follow are 1. docs/arithmetic.md has the variants.
///
/// Arrays are read at each run: they must outlive the plan, unchanged, as they are checked when the plan is made.
struct GemmDesc {
  // A
  /// u8, s8, u4 or s4 as given, or f32, bf16, f16 quantized per row on the way in (the scales and zero points below are not
  /// used for these). Rows of u4 and s4 begin with a byte of their own (an even a_stride). With weights of bits for b1: b1 as
  /// given, or any of u8, s8 and floats, which become bits: +1 where a >= its threshold.
  Type a = Type::u8;
  Dynamic dynamic = Dynamic::symmetric;  ///< For a float A.
  Per a_scale_per = Per::tensor;       ///< Integer A: tensor (a_scale) or row (GemmArgs::a_scale). With weights in groups also
                                       ///< group: one scale for each row and group; a float A is then quantized group by group.
  float a_scale = 1.0f;                ///< Finite.
  const float* a_threshold = nullptr;  ///< Values that become bits: 1 or k thresholds, no NaN; null: 0. A NaN in A becomes -1.
  Per a_threshold_per = Per::tensor;   ///< tensor, or column: of A, that is one for each k.
  Per a_zero_point_per = Per::tensor;  ///< Integer A: tensor (a_zero_point) or row (GemmArgs::a_zero_point).
  std::int32_t a_zero_point = 0;       ///< In the range of a's type; 0 for b1 and what becomes it.

  // C
  Type c = Type::s32;                      ///< s32, f32, bf16, f16, s8 or u8; or b1, sums compared with thresholds (not of a
                                           ///< float A that is quantized). s32 of a float A: sums of what it was quantized
                                           ///< to, without scales.
  const std::int32_t* bias_s32 = nullptr;  ///< [n], added to the sum; refused where the two could leave int32.
  const float* bias_f32 = nullptr;         ///< [n], any floats; not for s32 output nor fixed_point; not with bias_s32.
  bool accumulate = false;                 ///< C += for s32 (saturating), f32, bf16, f16.
  Type residual = Type::none;              ///< Type of the matrix added before the activation: f32, bf16, f16, s8, u8. Not
                                           ///< for s32 output nor fixed_point.
  float residual_scale = 1.0f;             ///< s8, u8: real = residual_scale * (r - residual_zero_point).
  std::int32_t residual_zero_point = 0;    ///< In the range of the type.
  Activation activation = Activation::none;  ///< Not for s32 output; fixed_point takes none, relu and clamp.
  float slope = 0.01f;                       ///< leaky_relu
  float lo = 0.0f, hi = 6.0f;                ///< clamp, in real units, lo <= hi.
  float c_scale = 1.0f;           ///< s8, u8: real = c_scale * (q - c_zero_point); it and 1 / c_scale positive and finite.
  std::int32_t c_zero_point = 0;  ///< In the range of c's type.
  Requantize requantize = Requantize::float_multiplier;
  const std::int32_t* multiplier = nullptr;  ///< fixed_point: 1 or n values in [2^30, 2^31); scales are not used then.
  const std::int32_t* shift = nullptr;       ///< fixed_point: as many values in [1, 62].
  Per multiplier_per = Per::tensor;          ///< tensor or column.

  const std::int32_t* threshold = nullptr;  ///< [n], b1: bit j is sum >= threshold[j], or, where at_most[j] is 1,
  const std::uint8_t* at_most = nullptr;    ///< sum <= threshold[j]. [n] of 0 and 1; null: all 0. Sums with bias_s32; scales
                                            ///< are not used, and nothing else may be asked for. fold_batch_norm makes both.

  Cap cap;  ///< The plan may use the tiers under this cap (and only kernels that read the layout of the weights).
};

/// One product's data, aligned as its types are. Strides are in elements (b1: bytes) and at least as long as a row; rows may be
/// padded, never overlap in C, and C overlaps neither A nor the C of another item.
/// What lies between two rows of A may be read (never beyond the last row's end) and does not matter; in C it is left alone.
struct GemmArgs {
  std::int64_t m = 0;  ///< Rows of A and C, 0 .. 2^31 - 1.
  const void* a = nullptr;
  std::int64_t a_stride = 0;
  void* c = nullptr;
  std::int64_t c_stride = 0;
  const float* a_scale = nullptr;              ///< [m] where a_scale_per is row, [m][groups] where it is group; finite.
  const std::int32_t* a_zero_point = nullptr;  ///< [m] where a_zero_point_per is row, in the range of a's type.
  const void* residual = nullptr;              ///< [m,n]; may be C itself where the types are the same.
  std::int64_t residual_stride = 0;
};

/// Which kernel serves a plan, and why none of a better tier does.
struct GemmInfo {
  const char* kernel;  ///< "gemm_u8s8_6x64x4_avx512vnni": the tile used for many rows.
  Tier tier;
  const char* why_not_better;  ///< "" when the machine's best tier serves; else one sentence.
};

/// A resolved product: kernel, tile sizes, checks. Cheap to make (well under a microsecond beside the scan of a bias),
/// holds no memory of its own, immutable, copyable, shared freely between threads.
class Gemm {
 public:
  /// Not planned yet: it can be assigned, planned and asked for its info, and its runs fail.
  Gemm() noexcept { std::memset(state_, 0, sizeof(void*)); }

  /// Checks `desc` against `weights` and resolves the kernel. `weights` is copied (it is a view); its blob must live on.
  [[nodiscard]] NARROW_API static Status plan(const GemmDesc& desc, const Weights& weights, Gemm* out) noexcept;

  /// Bytes of scratch that run needs for up to m rows on that many threads. May be 0.
  /// For a batch: of its largest item; more (up to the sum of all m) lets small items be worked on together.
  NARROW_API std::size_t scratch_size(std::int64_t m, int threads = 1) const noexcept;
  /// Best alignment of the scratch buffer (any will do: the size allows for it).
  static constexpr std::size_t scratch_alignment = 64;

  /// Computes one product in the caller's scratch memory. Allocates nothing. Safe to call from many threads at once, each
  /// with its own scratch.
  [[nodiscard]] NARROW_API Status run(const GemmArgs& args, void* scratch, std::size_t scratch_bytes,
                                      const Parallel& parallel = serial()) const noexcept;
  /// The same, allocating the scratch memory for the duration of the call.
  [[nodiscard]] NARROW_API Status run(const GemmArgs& args, const Parallel& parallel = serial()) const noexcept;

  /// `count` independent products with this plan's weights, shared out over the threads as a whole (an array of pointers).
  /// Scratch: at least scratch_size(largest m, threads).
  [[nodiscard]] NARROW_API Status run_batch(const GemmArgs* items, int count, void* scratch, std::size_t scratch_bytes,
                                            const Parallel& parallel = serial()) const noexcept;
  /// A strided batch: item i is `first` with a, c and residual moved by i times these strides (in elements; b1: bytes; of 4
  /// bits an even number). Row scales and zero points move by m values an item (scales of groups by m times the groups).
  /// Scratch: scratch_size(m, threads). Items go 32 at a time: where one is refused, those of the 32s before it have been
  /// computed.
  [[nodiscard]] NARROW_API Status run_strided(const GemmArgs& first, int count, std::int64_t a_batch_stride,
                                              std::int64_t c_batch_stride, std::int64_t residual_batch_stride, void* scratch,
                                              std::size_t scratch_bytes, const Parallel& parallel = serial()) const noexcept;

  /// A grouped product (of a mixture of experts): rows [offsets[i], offsets[i + 1]) of A and C, and of what else `all` has for
  /// each row, belong to plans[i], which differ in their weights, biases and scales, but neither in shape, types nor kinds of
  /// scales. Offsets: 0 <= offsets[0] <= ... <= offsets[count] <= all.m; rows outside all ranges are left alone. The rows are
  /// computed as each plan's run would, to the bit, and shared out over the threads as a whole. Without groups, all weights or
  /// none have zero points.
  [[nodiscard]] NARROW_API static Status run_grouped(const Gemm* plans, int count, const std::int64_t* offsets,
                                                     const GemmArgs& all, void* scratch, std::size_t scratch_bytes,
                                                     const Parallel& parallel = serial()) noexcept;
  /// Bytes of scratch that run_grouped needs for up to m rows in all.
  NARROW_API static std::size_t grouped_scratch_size(const Gemm* plans, int count, std::int64_t m, int threads = 1) noexcept;

  NARROW_API GemmInfo info() const noexcept;

 private:
  friend struct GemmAccess;
  GemmDesc desc_;
  Weights weights_;
  /// What run would otherwise derive anew (src/driver.h); begins with null until planned.
  alignas(8) unsigned char state_[512];
};

/// One shot: plan and run. For calls that happen once; costs the plan's checks each time.
[[nodiscard]] NARROW_API Status gemm(const GemmDesc& desc, const Weights& weights, const GemmArgs& args, void* scratch,
                                     std::size_t scratch_bytes, const Parallel& parallel = serial()) noexcept;

}  // namespace narrow
