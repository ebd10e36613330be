// Raw weights as packing reads them, whatever their layout and type: values of some columns and k, and for each group of k and
// column its scale and zero point.
//
// Each layout is made of words: a few bytes that hold several values, which are consecutive k of one column or consecutive
// columns of one k. A row of a table says how many, in what order, and how words lie beside each other; the same table serves
// packed zero points, with groups in the place of k.
//
//             word                    values of a word      words
//   matrix    1 byte: 2 nibbles       k, or columns         [n][k / 2], or [k][n / 2]
//   matrix    1 byte                  k, or columns         [n][k], or [k][n]
//   Q4_0      f16, 16 bytes           32 of k: 0 16 1 17..  [n][k / 32]
//   Q4_1      f16, f16, 16 bytes      32 of k: 0 16 1 17..  [n][k / 32]
//   Q8_0      f16, 32 bytes           32 of k               [n][k / 32]
//   GPTQ      4 bytes: 8 nibbles      8 of k                [k / 8][n]
//   AWQ       4 bytes: 8 nibbles      8 columns: 0 2 4 6 1 3 5 7   [k][n / 8]
//
// (MatMulNBits is a matrix whose rows are padded to whole groups.) Floats are quantized on the way: src/quantize.h.
#pragma once

#include "narrow/weights.h"
#include "src/bits.h"
#include "src/kernel.h"

namespace narrow {

inline constexpr int read_chunk =
    128;  ///< of k, read at a time: a multiple of every word, and of every k_unit of kernels that read words

/// One row of the table above.
struct WordLayout {
  int values;              ///< of a word
  int header;              ///< bytes before them
  int bits;                ///< of a value
  bool along_k;            ///< they are consecutive k, else columns
  bool words_lead;         ///< [k / values][n] words, else rows of what does not run along the word
  std::uint8_t order[32];  ///< at which place value i is

  constexpr int bytes() const { return header + values * bits / 8; }
};

/// Integers in words.
struct WordGrid {
  const WordLayout* layout;
  const std::uint8_t* data;
  std::int64_t row_bytes;

  const std::uint8_t* word(std::int64_t k, std::int64_t column) const noexcept {
    const std::int64_t along = (layout->along_k ? k : column) / layout->values, across = layout->along_k ? column : k;
    return layout->words_lead ? data + along * row_bytes + across * layout->bytes()
                              : data + across * row_bytes + along * layout->bytes();
  }
  int at(std::int64_t k, std::int64_t column) const noexcept {
    const int place = layout->order[(layout->along_k ? k : column) % layout->values];
    const std::uint8_t* values = word(k, column) + layout->header;
    return layout->bits == 4 ? values[place / 2] >> place % 2 * 4 & 15 : values[place];
  }
};

/// Floats of groups and columns.
struct FloatGrid {
  const char* data;
  Type type;
  std::int64_t group_bytes, column_bytes;

  float at(std::int64_t group, std::int64_t column) const noexcept;
};

/// What a group's columns have beside their values.
struct GroupColumns {
  float scale[max_tile_cols];
  int zero_point[max_tile_cols];  ///< in terms of raw values
  float offset[max_tile_cols];    ///< scale * zero point, where zero points are floats; 1 / scale, where weights are quantized
};

/// What a layout implies, written out: fixed groups and their types, the order of scales. Also the checks that go with it.
Status normalize(const WeightsDesc& desc, WeightsDesc* out) noexcept;

class RawWeights {
 public:
  /// Of a normalized description.
  explicit RawWeights(const WeightsDesc& desc) noexcept;

  /// Group g of columns [column, column + cols). False where a weight to be quantized is not finite.
  bool group(std::int64_t g, std::int64_t column, int cols, GroupColumns* out) const noexcept;
  /// Values of `count` k, at most a chunk, beginning at a multiple of 8 (32 where words are that long): nibbles as 0..15 (s4 +
  /// 8), or s8 + add. The quantization is of their group.
  void read(std::int64_t column, int cols, std::int64_t k, int count, const GroupColumns& group, int add,
            std::uint8_t (*out)[read_chunk]) const noexcept;

 private:
  WeightsDesc desc_;
  std::int64_t group_size_;
  WordGrid values_, zero_points_;
  FloatGrid scales_, offsets_;
};

}  // namespace narrow
