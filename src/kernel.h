// The contract between the driver and the kernels: geometry and function pointers, all of it plain data.
//
// Tier objects are compiled with their own instruction-set flags, so this header and everything that kernels include may
// hold no inline function with external linkage and nothing from the standard library that could be emitted as a weak
// symbol: such a symbol would be merged across tiers, and a lower tier could end up running a higher one's code.
//
// One product runs like this:
//
//   pack_b      once            B[k,n] -> panels of `nr` columns, k in steps of `kr`, zero-padded to `k_unit`
//   pack_a      per row block   A -> rows of the kernel's own element type, zero-padded likewise (skipped where A's rows can
//                               be read in place)
//   prepare     per strip       column parameters of 1..max_panels panels -> a Columns on the stack
//   unpacking   per strip       its panels -> a buffer, where a kernel has that for many rows
//   to_sums     per tile        int32 sums of one tile, nothing else
//   epilogue    per tile        sums -> C
//
// The last step is skipped where tiles write C themselves: to_sums where C is the sums, to_reals where they only have to be
// scaled (and rounded to bytes), to_bits where they are compared with thresholds.
//
// A panel holds, for each step of kr, nr groups of kr consecutive k of one column:
//
//           k-step 0                              k-step 1
//   panel:  | c0: k0..kr-1 | c1: k0..kr-1 | ...  | c0: kr..2kr-1 | c1 ...
//
// so one vector load brings kr values of each of several columns, and the matching kr values of a row are broadcast.
//
// Values of 4 bits lie in pairs of half steps: eight k are nr times four bytes, the low nibbles the k 0..3 of a column and the
// high ones its k 4..7, so that a shift and two ands make of them two steps as above, of kr = 4. (Where kr is less than 8, these
// half steps are halves of it.) They are unsigned; s4 is kept as value + 8, with the zero point 8.
//
// Grouped kernels' values of 4 bits lie in pairs of columns: the low nibbles of a k-step are the first half of a panel's columns,
// the high ones the second half, so that both are multiplied by the same values of A (group_tile.h says what that is good for).
//
// Bits (Type::b1) are moved by the byte: wherever k, kr, k_unit or an element is spoken of, it is bytes of eight bits each. The
// sum of products of +1 and -1 is k - 2 * popcount(a xor b), k in bits. Padding is zero in A as in B, so the xor of it
// vanishes; a kernel's sums are init - 2 * popcount, and init brings k (EpilogueSpec::offset).
//
// Running bits (Geometry::running) are not the bits of a step but the xor of all steps up to it, in A as in B. The xor of the
// two then says, place by place, whether an odd number of the x = a xor b so far are 1: it is the sum that a carry-save adder
// would keep of them, and comes for free. With s that sum before two steps, t between and u after them, the adder's carry is
// t ? ~u : s. So two steps take two xors, a selection, one count and one addition, five operations instead of six; carries are
// worth two each, and at the end the places of the last sum are counted besides.
//
// Weights of bits for A of bytes (Geometry::b_bits is 1) are products of integers like those of int8. Only, a panel holds bits:
// bit i of a step, from the lowest of its first byte on, is what byte i of such a step of int8 would be, if a kernel does not
// put them otherwise. A load of B makes -1 and +1 of them. There is no zero among these, so it is A whose padding must be zero.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "narrow/gemm.h"

namespace narrow {

/// What zero points the groups of packed weights have.
enum class ZeroPoints : uint8_t {
  constant = 0,  ///< one for all, known when A is packed
  integers = 1,
  floats = 2,
};

/// How k is cut into groups with scales of their own. A grouped kernel's operands carry what belongs to the groups:
///
///   panel of B   for each group: its k-steps | nr scales | nr zero points (int16 or float, or none)
///   row of A     k_padded values of s8 | int32 [count] sums over each group times a factor | float [count] scales (or none)
///
/// The factor is minus the constant zero point, or -1 where zero points differ. All sections of a row begin at multiples of 4
/// bytes.
struct Groups {
  ptrdiff_t count;  ///< 0: none
  ptrdiff_t size;   ///< of k; multiple of 8, and k_padded is one too
  ptrdiff_t k_padded;
  ptrdiff_t bytes;  ///< of a whole group in a panel
  Type scale;       ///< f32, bf16 or f16
  ZeroPoints zero_points;
  bool row_scales;             ///< each row of A has a scale for each group
  bool one_row_asks;           ///< a single row asks for B ahead of time
  int32_t sum_factor;          ///< of the sums that A carries
  int32_t b_zero;              ///< what stands for 0 in the panels, where zero points are floats
  ptrdiff_t a_sums, a_scales;  ///< bytes from the beginning of a row
};

/// A row of A in pieces, as a convolution reads its input: `rows` times `runs` runs of k, each TileArgs::steps long, at these
/// distances from the row's first byte.
struct Window {
  ptrdiff_t rows, row_stride;  ///< bytes
  ptrdiff_t runs, run_stride;  ///< bytes
  ptrdiff_t first;             ///< bytes to where the first run begins: groups of a convolution share their WindowRows
  ptrdiff_t column;            ///< where these columns begin among the initial sums
};
/// Where such a row begins, and what its sums begin with: those of all columns, and more up to whole panels.
struct WindowRow {
  const char* a;
  const int32_t* init;
};

/// What makes real values of sums: real[i][j] = fma(float(sum[i][j]) * row_scale[i], scale[j], bias[j]); and of these bytes:
/// round(real) clamped to lo .. hi, plus zero_point, which is an s8; or that with its top bit turned, a u8.
struct Reals {
  const float* scale;  ///< [panels * nr]
  const float* bias;   ///< [panels * nr]
  const float* row_scale;
  ptrdiff_t row_scale_step;  ///< from row to row: 1, or 0 where one serves all
  bool bytes;                ///< real values are finite or infinite, row scales 1, and c and c_stride count bytes
  float lo, hi;              ///< whole numbers
  int16_t zero_point;        ///< of C, less 128 where C is u8
  uint8_t top_bit;           ///< 128 where C is u8, else 0
};

/// One tile of sums: c[i][j] = init[i][j] + sum over k of a[i][k] * b[k][j] (modulo 2^32), for the rows that the function is
/// instantiated for, and the first `cols` columns of its panels. Reads only packed or padded operands.
struct TileArgs {
  const void* a;          ///< first row (or row group, see Geometry::row_group)
  ptrdiff_t a_stride;     ///< bytes from row to row (or group to group)
  const void* b;          ///< first panel
  ptrdiff_t b_stride;     ///< bytes from panel to panel
  const void* next;       ///< in the first of as many panels: what to bring nearer meanwhile (see asks_ahead)
  ptrdiff_t next_step;    ///< bytes from one k-step's request to the next; of groups, for each nr * kr bytes of the panel
  ptrdiff_t steps;        ///< padded k / kr; a multiple of k_unit / kr. Indirect tiles: of one run
  const int32_t* init;    ///< [rows][panels * nr] initial sums; null, but for sums of bits: zeros
  ptrdiff_t init_stride;  ///< elements; 0: the same for all rows
  int32_t* c;
  ptrdiff_t c_stride;              ///< elements
  int cols;                        ///< columns to store: (panels - 1) * nr < cols <= panels * nr
  const Window* window = nullptr;  ///< indirect tiles, whose `a` is an array of WindowRow; init and init_stride are not used
  ptrdiff_t first_column = 0;      ///< indirect tiles: among the initial sums
  const Groups* groups = nullptr;  ///< grouped kernels: init and c then hold the bits of float sums, a and b what Groups says
  uint64_t turned = 0;             ///< tiles that write bits, see Kernel::to_bits
  const Reals* reals = nullptr;    ///< tiles that write floats, see Kernel::to_reals
  const int32_t* row_begin = nullptr;  ///< [rows] tiles of unpacked B: what a row's sums begin with, see Unpacking
  bool to_l2 = false;                  ///< grouped kernels: what they ask for is brought to the L2 cache, no nearer
};
using TileFn = void (*)(const TileArgs&);

inline constexpr int max_tile_rows = 16;
inline constexpr int max_tile_panels = 4;
inline constexpr int max_tile_cols = 64;
/// Products of so few rows go at the pace of reading B.
inline constexpr int streaming_rows = 4;

/// Shape of a kernel's operands and tiles; no literal of it stands anywhere else.
struct Geometry {
  Type a;                         ///< element type of packed A: u8, s8, s16, or b1: bytes of eight bits, and k counts bytes
  int nr;                         ///< columns of a panel
  int kr;                         ///< k of one step
  int k_unit;                     ///< k is padded with zeros to a multiple of this
  int row_group;                  ///< rows interleaved by pack_a, kr values of each in turn (1: plain rows; i8mm: 2)
  int max_panels;                 ///< widest tile, in panels
  int max_rows[max_tile_panels];  ///< tallest tile for each width
  int b_offset = 0;               ///< grouped kernels: added to s8 weights as they are packed
  int b_bits = 8;                 ///< of packed B for each k: 8; 4, see above; 1 where b is bits and a is not
  bool running = false;           ///< bits: see above; A is never read in place, nor k taken in parts
};

/// k of a half step, where B has 4 bits.
constexpr int half_step(const Geometry& g) { return g.kr < 8 ? g.kr / 2 : 4; }

/// What a tile asks for while it works is what is read next, for the L2 cache; but where few rows hurry through B, what it will
/// need itself some lines later, for the L1 cache: then nothing else is in time. One or two rows leave it to the hardware,
/// which keeps up best alone; and so do three or four from memory, where the kernel's tiles keep up with it and the processor
/// is best not asked (Cpu::asks). More rows than that do so, too, where they are a strip's only tile and B's pace is what
/// counts (Product::one_tile_asks): what comes after the strip would be too much to bring so early.
constexpr bool asks_ahead(const Geometry& g, int rows, int panels) {
  return rows > 2 && rows <= streaming_rows && rows < g.max_rows[panels - 1];
}
inline constexpr int ahead_bytes = 3072;  ///< of each panel
/// The same for the only tile of a strip of groups, however many its rows are: as the weights of a language model come from
/// memory, far.
inline constexpr int groups_ahead_bytes = 8192;

/// A -> packed rows. The value stored for an integer a is a + offset (see a_offset); for a float a it is quantized per row
/// first. Padding beyond k is stored as zeros.
struct PackAArgs {
  const void* src;
  Type src_type;     ///< u8, s8, u4, s4, f32, bf16, f16, b1
  ptrdiff_t stride;  ///< elements
  int rows;
  ptrdiff_t k, k_padded;             ///< elements of the source, and of the kernel's type
  bool far = false;                  ///< the source is more than the L2 cache holds
  Dynamic dynamic;                   ///< float sources that are quantized
  const float* threshold = nullptr;  ///< where values become bits: x >= threshold[k * threshold_stride]; null: 0
  int threshold_stride = 0;          ///< 0 or 1
  void* dst;                         ///< rows (groups) one after another, k_padded elements each
  int32_t* row_sum;                  ///< [rows] sum of the stored values over the real k; null: not wanted
  int32_t* row_begin = nullptr;      ///< [rows] see Unpacking; null: not wanted
  float* scale;                      ///< [rows] out, float sources only: a ~ scale * (stored - zero_point)
  int32_t* zero_point;               ///< [rows] out, float sources only: in terms of stored values
  // Grouped kernels only, which take no row_sum and give no zero_point:
  const Groups* groups = nullptr;
  ptrdiff_t dst_stride = 0;            ///< bytes from row to row
  const float* group_scale = nullptr;  ///< [rows][groups->count], for integer sources with such scales
};

constexpr bool is_8bit(Type type) { return type == Type::s8 || type == Type::u8; }

/// What pack_a adds to integers of type `src` when the kernel's element type is `packed`: u8 kernels read s8 and s4 as a + 128,
/// s8 kernels read u8 as a - 128, s16 kernels take all as they are. The driver moves the zero point along.
constexpr int a_offset(Type src, Type packed) {
  const bool is_signed = src == Type::s8 || src == Type::s4;
  return is_signed && packed == Type::u8 ? 128 : src == Type::u8 && packed == Type::s8 ? -128 : 0;
}

/// Columns [0, cols) of B -> panels.
struct PackBArgs {
  const void* src;  ///< first column
  Order order;
  ptrdiff_t stride;  ///< elements
  ptrdiff_t k, k_padded;
  int cols;
  void* dst;             ///< first panel
  ptrdiff_t dst_stride;  ///< bytes from panel to panel
  bool around_caches;    ///< whether the panels are more than caches hold; dst and dst_stride are then multiples of 64
};

/// Panels of one strip, over some k -> what tiles of unpacked B read.
struct UnpackArgs {
  const void* b;
  ptrdiff_t b_stride;  ///< bytes from panel to panel
  int panels;
  ptrdiff_t steps;  ///< of the panels
  void* to;
  ptrdiff_t to_stride;  ///< bytes from panel to panel
};

/// What the epilogue needs to know of a plan; constant over the call.
struct EpilogueSpec {
  Type c;
  Activation activation;
  bool accumulate;
  Type residual;  ///< none: no residual
  Requantize requantize;
  bool row_scale;        ///< rows of A have their own scales (or A is quantized on the way in)
  float a_scale;         ///< otherwise
  bool row_zero_point;   ///< rows of A have their own zero points
  int32_t a_zero_point;  ///< otherwise, in terms of stored values
  int32_t offset;        ///< added to every sum: k where A and B are bits, else 0
  bool float_sums;       ///< the sums are floats (of groups)
  float slope, lo, hi;
  float residual_scale;
  int32_t residual_zero_point;
  float c_inverse;  ///< 1 / c_scale
  int32_t c_zero_point;
  int32_t c_lo, c_hi;  ///< what an 8-bit output may hold: its type's range, narrowed by relu and clamp
};

/// Column parameters of the whole product, as the caller and the packed weights hold them (strides 0 or 1 serve per-tensor
/// values), already moved to the strip's first column.
struct ColumnSource {
  const int32_t* sum;  ///< [cols] sum over k of (b - zero_point)
  const float* scale;
  int scale_stride;
  const int32_t* zero_point;  ///< null: none
  int zero_point_stride;
  const int32_t* bias_s32;  ///< null: none
  const float* bias_f32;    ///< null: none
  const int32_t* multiplier;
  const int32_t* shift;
  int multiplier_stride;
  const int32_t* threshold;  ///< where C is bits
  const uint8_t* at_most;    ///< null: none
};

/// How many columns a strip has, and its panels.
struct StripColumns {
  int real, padded;
};

/// Column parameters of one strip, padded to whole panels with harmless values.
struct alignas(64) Columns {
  int32_t init[max_tile_cols];        ///< bias_s32 + offset - a_zero_point * sum (the zero point only where it is the tensor's)
  int32_t sum[max_tile_cols];         ///< where rows have their own zero points
  int32_t zero_point[max_tile_cols];  ///< where B has zero points
  float scale[max_tile_cols];         ///< see docs/arithmetic.md: a_scale, b_scale and 1 / c_scale folded where allowed
  float bias[max_tile_cols];
  int32_t multiplier[max_tile_cols];
  int32_t shift[max_tile_cols];
  int32_t threshold[max_tile_cols];  ///< where C is bits: sum <= threshold, or, where the bit in `turned` is set, greater
  uint64_t turned;
  bool has_zero_point;
};

/// One tile on its way from sums to C.
struct EpilogueArgs {
  const EpilogueSpec* spec;
  const Columns* columns;
  const int32_t* sum;    ///< [rows][sum_stride], whole panels readable; floats' bits where spec->float_sums
  ptrdiff_t sum_stride;  ///< elements
  int rows, cols;
  int bit_cols;  ///< where C is bits: those to write, from cols on zeros; a multiple of 8
  void* c;
  ptrdiff_t c_stride;  ///< bytes
  const void* residual;
  ptrdiff_t residual_stride;    ///< bytes
  const float* a_scale;         ///< [rows] where spec->row_scale
  const int32_t* a_zero_point;  ///< [rows] where spec->row_zero_point, in terms of stored values
  const int32_t* row_sum;       ///< [rows] of stored values, where columns->has_zero_point
};
using EpilogueFn = void (*)(const EpilogueArgs&);

/// What a row needs of the processor beyond its tier.
enum class Feature : uint8_t { none = 0, vpopcntdq = 1 };

/// What a kernel adds up: products of integers over all of k, groups of k in floats, or what bits of A and B differ in.
enum class Sums : uint8_t { integers = 0, groups = 1, bits = 2 };

/// The function for a tile: [panels - 1][rows - 1].
using TileTable = const TileFn (*)[max_tile_rows];

/// Tiles of one kind of output, for A as it may lie; null where there are none.
struct TileSet {
  TileTable plain = nullptr;
  TileTable flipped = nullptr;   ///< A is of s8 where geometry.a is u8, or the other way round, and read in place
  TileTable indirect = nullptr;  ///< rows in pieces: TileArgs::window
  TileTable unpacked = nullptr;  ///< B is what Unpacking::run makes of it
};

/// Where a kernel has it, many rows take B unpacked: a strip and a pass of k at a time, in a buffer. What the sums begin with
/// is then not zero: columns' shares lie in the buffer, rows' come from pack_a.
struct Unpacking {
  void (*run)(const UnpackArgs&) = nullptr;
  Geometry geometry = {};  ///< of the tiles
  int from_rows = 0;       ///< so many rows pay for it; more than max_tile_rows
};

/// Fewer columns of B are few to Kernel::few_columns_from_k.
inline constexpr int64_t many_columns = 128;

/// One kernel: a row of data that dispatch, tests and benchmarks share.
struct Kernel {
  const char* name;  ///< gemm_<a><b>_<mr>x<nr>x<kr>_<tier>, of its largest tile
  Tier tier;
  Type b;  ///< type of raw weights it serves
  Sums sums;
  Feature needs;    ///< a machine without it passes over this row
  uint16_t layout;  ///< identity of the panel layout; rows with the same tier and layout read each other's weights
  Geometry geometry;
  /// Of products: the least k for which it is the best, where B has many columns, and where it has few, to pay for what pack_a
  /// does. Not for filters of convolutions.
  int64_t from_k = 0, few_columns_from_k = 0;
  /// So many rows take B, in the L2 cache, a panel at a time, where a single stream comes faster than several (Cpu::one_stream):
  /// tiles of one panel keep up with it. (Zen 5: int8 on AVX-512 VNNI 200 GB/s against 130, on AVX2 55 against 67.)
  int stream_rows = 0;
  /// Of groups whose weights are more than caches hold, on processors that are best not asked for what few rows read
  /// (Cpu::asks): so many rows leave B to the hardware; and up to so many, but more than two, ask for the L2 cache. What is
  /// asked for nearer comes no faster than the few outstanding misses of L1 let it (12 GB/s on Zen 4), and so many rows need
  /// more. Taller products need less, and want it near. (Zen 4: 3 to 9 rows of 4 bits 1.03 to 1.25 times as fast, 5 to 18 of 8
  /// bits up to 1.8 times.)
  int unasked_rows = 0, l2_rows = 0;
  Unpacking unpacking = {};
  TileSet to_sums;
  TileSet to_reals = {};        ///< given TileArgs::reals, they write those in f32 instead of sums
  bool reals_to_bytes = false;  ///< whether these tiles can go on to bytes
  void (*pack_a)(const PackAArgs&);
  void (*pack_b)(const PackBArgs&);
  /// sum[j] over k of the column j < cols of a panel; null where B is not of bytes.
  void (*sum_columns)(const void* panel, ptrdiff_t k_padded, int cols, int32_t* sum) = nullptr;
  void (*prepare)(const EpilogueSpec&, const ColumnSource&, StripColumns, Columns*);
  EpilogueFn (*epilogue)(const EpilogueSpec&);  ///< the function for this output type and activation
  /// Bits only, for borders of convolutions: sum[j] += from[j].
  void (*add_sums)(const int32_t* from, ptrdiff_t count, int32_t* sum) = nullptr;
  /// Tiles that compare their sums with thresholds and write bits. In their arguments c and c_stride are bytes of bits,
  /// panels * nr of which are written, bits that are set in `turned` are those to turn, and init is what `limits` makes of the
  /// initial sums and of as many Columns::threshold.
  TileSet to_bits = {};
  void (*limits)(const int32_t* threshold, ptrdiff_t count, int32_t* init) = nullptr;
};

}  // namespace narrow
