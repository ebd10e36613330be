#include "narrow/bits.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/bits.h"
#include "src/claim.h"
#include "src/registry.h"
#include "src/status.h"

namespace narrow {
namespace {

constexpr std::int64_t rows_of_piece = 64;
constexpr char too_far[] = "bits: rows so far apart that their bytes leave 64 bits";

Status check(const BitRows& d, const void* from, const void* to) {
  if (d.rows < 0 || d.k < 0) return invalid("bits: negative size");
  if (d.k > stride_limit) return invalid(too_far);
  if (d.rows == 0 || d.k == 0) return {};
  if (!from || !to) return invalid("bits: null pointer");
  if (out_of_reach(d.rows, d.stride) || out_of_reach(d.rows, d.bits_stride)) return invalid(too_far);
  if (d.stride < d.k || d.bits_stride < bit_row_bytes(d.k)) return invalid("bits: a stride is shorter than a row");
  return {};
}

void unpack_row(const BitRows& d, const unsigned char* bits, char* values) {
  // What +1 and -1 are in memory, little-endian.
  constexpr std::uint32_t f32[2] = {0xbf800000, 0x3f800000}, bf16[2] = {0xbf80, 0x3f80}, f16[2] = {0xbc00, 0x3c00},
                          s8[2] = {0xff, 0x01};
  const std::uint32_t* one = d.type == Type::f32 ? f32 : d.type == Type::bf16 ? bf16 : d.type == Type::f16 ? f16 : s8;
  const std::size_t size = size_of(d.type);
  for (std::int64_t i = 0; i < d.k; ++i) std::memcpy(values + i * size, &one[bits[i / 8] >> i % 8 & 1], size);
}

}  // namespace

Status check_thresholds(const float* threshold, Per per, std::int64_t k) noexcept {
  if (per != Per::tensor && per != Per::column) return invalid("bits: thresholds are per tensor or per column");
  if (threshold)
    for (std::int64_t i = 0, count = per == Per::column ? k : 1; i < count; ++i)
      if (std::isnan(threshold[i])) return invalid("bits: a threshold is no number");
  return {};
}

Status pack_bits(const BitRows& d, const void* values, void* bits, const Parallel& parallel, Cap cap) noexcept {
  if (Status s = check(d, values, bits); !s.ok()) return s;
  if (d.type != Type::f32 && d.type != Type::bf16 && d.type != Type::f16 && d.type != Type::s8 && d.type != Type::u8)
    return {Code::unsupported, "bits: values are f32, bf16, f16, s8 or u8"};
  if (Status s = check_thresholds(d.threshold, d.threshold_per, d.k); !s.ok()) return s;
  const bool each = d.threshold && d.threshold_per == Per::column;
  const Kernel* kernel;
  if (Status s = find_kernel(cap, Type::b1, Sums::bits, 0, 0, &kernel); !s.ok()) return s;
  if (d.k == 0) return {};

  const auto element = static_cast<std::int64_t>(size_of(d.type));
  const std::int64_t bytes = bit_row_bytes(d.k), together = d.bits_stride == bytes ? rows_of_piece : 1;
  claim(parallel, (d.rows + rows_of_piece - 1) / rows_of_piece, [&](int, std::int64_t piece) {
    const std::int64_t end = std::min(d.rows, (piece + 1) * rows_of_piece);
    for (std::int64_t row = piece * rows_of_piece; row < end; row += together) {
      PackAArgs args{};
      args.src = static_cast<const char*>(values) + row * d.stride * element;
      args.src_type = d.type;
      args.stride = d.stride;
      args.rows = static_cast<int>(std::min(together, end - row));
      args.k = d.k;
      args.k_padded = bytes;
      args.threshold = d.threshold;
      args.threshold_stride = each;
      args.dst = static_cast<char*>(bits) + row * d.bits_stride;
      kernel->pack_a(args);
    }
  });
  return {};
}

Status unpack_bits(const BitRows& d, const void* bits, void* values, const Parallel& parallel) noexcept {
  if (Status s = check(d, bits, values); !s.ok()) return s;
  if (d.type != Type::f32 && d.type != Type::bf16 && d.type != Type::f16 && d.type != Type::s8)
    return {Code::unsupported, "bits: unpacked values are f32, bf16, f16 or s8"};
  if (d.k == 0) return {};
  const auto element = static_cast<std::int64_t>(size_of(d.type));
  claim(parallel, (d.rows + rows_of_piece - 1) / rows_of_piece, [&](int, std::int64_t piece) {
    for (std::int64_t i = piece * rows_of_piece; i < std::min(d.rows, (piece + 1) * rows_of_piece); ++i)
      unpack_row(d, static_cast<const unsigned char*>(bits) + i * d.bits_stride,
                 static_cast<char*>(values) + i * d.stride * element);
  });
  return {};
}

}  // namespace narrow
