// The list of shapes that the benchmark measures and the tests take layer sizes from, and the parser for such lists.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// The operations a list may name, and what the numbers after the name mean. A new operation is one more row.
struct ShapeFormat {
  std::string_view op;
  std::string_view fields;  ///< Separated by single blanks; every one a positive integer, but PAD may be 0.
};
inline constexpr ShapeFormat shape_formats[] = {
    {"int8", "M N K"},
    {"binary", "M N K"},
    {"int4", "M N K GROUP"},
    {"conv_binary", "N H W C K R S STRIDE PAD"},
};

/// C[m,n] = A[m,k] B[k,n]. One line an operation and its numbers; # starts a comment.
inline constexpr std::string_view default_shapes = R"(
# Squares
int8 32 32 32
int8 64 64 64
int8 100 100 100
int8 128 128 128
int8 256 256 256
int8 512 512 512
int8 1024 1024 1024
int8 2048 2048 2048

# Odd ones
int8 17 33 65
int8 5 1000 333
int8 77 513 1023
int8 197 768 768

# BERT-base: attention and the two feed-forward layers, 128 and 384 tokens
int8 128 768 768
int8 128 3072 768
int8 128 768 3072
int8 384 768 768
int8 384 3072 768
int8 384 768 3072

# ResNet-50: its convolutions as products (m = pixels, n = filters, k = taps x channels), and its classifier
int8 12544 64 147
int8 3136 64 256
int8 3136 256 64
int8 3136 64 576
int8 784 512 128
int8 784 128 1152
int8 196 1024 256
int8 196 256 2304
int8 49 2048 512
int8 49 512 4608
int8 1 1000 2048

# A few rows
int8 1 1024 1024
int8 4 1024 1024
int8 16 1024 1024
int8 4 1024 4096
int8 16 1024 4096

# Llama-style: attention, gate and up, down
int8 1 4096 4096
int8 2 4096 4096
int8 4 4096 4096
int8 16 4096 4096
int8 128 4096 4096
int8 512 4096 4096
int8 1 11008 4096
int8 4 11008 4096
int8 16 11008 4096
int8 128 11008 4096
int8 512 11008 4096
int8 1 4096 11008
int8 4 4096 11008
int8 16 4096 11008
int8 128 4096 11008
int8 512 4096 11008

# Weights beyond every cache
int8 1 28672 8192

# Bits: squares, layers of binary networks as products, a few rows
binary 64 64 64
binary 100 100 100
binary 256 256 256
binary 512 512 512
binary 1024 1024 1024
binary 2048 2048 2048
binary 3136 64 576
binary 784 128 1152
binary 196 256 2304
binary 49 512 4608
binary 784 256 128
binary 128 4096 4096
binary 16 4096 4096
binary 4 4096 4096
binary 1 4096 4096

# 4-bit weights with groups of 32 and of 128: layers of every size, Llama-style ones at few and many rows
int4 4 1024 1024 32
int4 4 1024 1024 128
int4 16 1024 4096 32
int4 16 1024 4096 128
int4 128 768 768 32
int4 128 768 768 128
int4 1024 1024 1024 32
int4 1024 1024 1024 128

int4 1 4096 4096 32
int4 1 4096 4096 128
int4 2 4096 4096 32
int4 2 4096 4096 128
int4 4 4096 4096 32
int4 4 4096 4096 128
int4 8 4096 4096 32
int4 8 4096 4096 128
int4 16 4096 4096 32
int4 16 4096 4096 128
int4 64 4096 4096 32
int4 64 4096 4096 128
int4 128 4096 4096 32
int4 128 4096 4096 128
int4 512 4096 4096 32
int4 512 4096 4096 128

int4 1 11008 4096 32
int4 1 11008 4096 128
int4 2 11008 4096 32
int4 2 11008 4096 128
int4 4 11008 4096 32
int4 4 11008 4096 128
int4 8 11008 4096 32
int4 8 11008 4096 128
int4 16 11008 4096 32
int4 16 11008 4096 128
int4 64 11008 4096 32
int4 64 11008 4096 128
int4 128 11008 4096 32
int4 128 11008 4096 128
int4 512 11008 4096 32
int4 512 11008 4096 128

int4 1 4096 11008 32
int4 1 4096 11008 128
int4 2 4096 11008 32
int4 2 4096 11008 128
int4 4 4096 11008 32
int4 4 4096 11008 128
int4 8 4096 11008 32
int4 8 4096 11008 128
int4 16 4096 11008 32
int4 16 4096 11008 128
int4 64 4096 11008 32
int4 64 4096 11008 128
int4 128 4096 11008 32
int4 128 4096 11008 128
int4 512 4096 11008 32
int4 512 4096 11008 128

int4 1 32000 4096 32
int4 1 32000 4096 128
int4 2 32000 4096 32
int4 2 32000 4096 128
int4 4 32000 4096 32
int4 4 32000 4096 128
int4 8 32000 4096 32
int4 8 32000 4096 128
int4 16 32000 4096 32
int4 16 32000 4096 128
int4 64 32000 4096 32
int4 64 32000 4096 128
int4 128 32000 4096 32
int4 128 32000 4096 128
int4 512 32000 4096 32
int4 512 32000 4096 128

# Beyond every cache
int4 1 28672 8192 32
int4 1 28672 8192 128
int4 2 28672 8192 32
int4 2 28672 8192 128
int4 4 28672 8192 32
int4 4 28672 8192 128
int4 8 28672 8192 32
int4 8 28672 8192 128
int4 16 28672 8192 32
int4 16 28672 8192 128
int4 64 28672 8192 32
int4 64 28672 8192 128
int4 128 28672 8192 32
int4 128 28672 8192 128
int4 512 28672 8192 32
int4 512 28672 8192 128

# Bits: the 3x3 layers of ResNet-18 (also Bi-Real net's), QuickNet's, AlexNet's, and 1x1 layers
conv_binary 1 56 56 64 64 3 3 1 1
conv_binary 1 28 28 128 128 3 3 1 1
conv_binary 1 14 14 256 256 3 3 1 1
conv_binary 1 7 7 512 512 3 3 1 1
conv_binary 1 56 56 64 128 3 3 2 1
conv_binary 1 28 28 128 256 3 3 2 1
conv_binary 1 14 14 256 512 3 3 2 1
conv_binary 1 28 28 256 256 3 3 1 1
conv_binary 1 27 27 96 256 5 5 1 2
conv_binary 1 13 13 256 384 3 3 1 1
conv_binary 1 13 13 384 384 3 3 1 1
conv_binary 1 13 13 384 256 3 3 1 1
conv_binary 1 28 28 128 256 1 1 1 0
conv_binary 1 14 14 512 256 1 1 1 0
)";

struct Shape {
  std::string op;
  std::vector<std::int64_t> dims;  ///< As many as the operation's format names.

  /// "128x768x768"
  std::string text() const {
    std::string out;
    for (std::int64_t d : dims) {
      if (!out.empty()) out += 'x';
      out += std::to_string(d);
    }
    return out;
  }
};

/// Reads a list of shapes. False on the first bad line, with `error` saying which line and what was expected; `source`
/// names the list in that message.
inline bool parse_shapes(std::string_view text, std::string_view source, std::vector<Shape>* out, std::string* error) {
  constexpr std::int64_t largest = 1 << 24;  // keeps every product of three inside 64 bits, two inside a buffer size
  constexpr std::string_view blanks = " \t\r";
  const auto next_word = [&](std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(blanks));
    line.remove_prefix(word.size());
    return word;
  };
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const auto fail = [&](const std::string& what) {
      *error = std::string(source) + ":" + std::to_string(number) + ": " + what;
      return false;
    };

    const std::string_view op = next_word(line);
    if (op.empty()) continue;
    const ShapeFormat* format = nullptr;
    std::string known;
    for (const ShapeFormat& f : shape_formats) {
      if (f.op == op) format = &f;
      known += (known.empty() ? "" : ", ") + std::string(f.op);
    }
    if (!format) return fail("unknown operation \"" + std::string(op) + "\" (known: " + known + ")");

    Shape shape{std::string(op), {}};
    const std::string expected = "expected \"" + std::string(op) + " " + std::string(format->fields) + "\"";
    for (std::string_view fields = format->fields, field; !(field = next_word(fields)).empty();) {
      const std::string_view word = next_word(line);
      std::int64_t value = 0;
      const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
      if (code != std::errc() || end != word.data() + word.size() || value < (field == "PAD" ? 0 : 1) || value > largest)
        return fail(expected + "; " + std::string(field) + " is \"" + std::string(word) + "\", not a number from " +
                    (field == "PAD" ? "0" : "1") + " to " + std::to_string(largest));
      shape.dims.push_back(value);
    }
    if (const std::string_view extra = next_word(line); !extra.empty())
      return fail(expected + "; \"" + std::string(extra) + "\" is too much");
    out->push_back(std::move(shape));
  }
  return true;
}

}  // namespace bench
