// Rows of A for the kernels of weights with groups of k: s8 values, then what belongs to the groups (see Groups in
// src/kernel.h).
#pragma once

#include "kernels/common/pack_a.h"

namespace narrow {
namespace {

/// Quantizes one run of floats symmetrically and returns its scale; see quantize for `ahead`.
template <class S, class Source>
NARROW_INLINE float quantize_run(const Source* x, ptrdiff_t count, Ahead ahead, int8_t* out) {
  const RowRange range = finite_range_of<S, Dynamic::symmetric>(x, count);
  const RowQuantization q(Dynamic::symmetric, range);
  const typename S::template Narrow<int8_t> narrow(0, -127, 127);
  if (range.finite)
    quantize<S, true>(x, count, ahead, q.inverse, narrow, out);
  else
    quantize<S, false>(x, count, ahead, q.inverse, narrow, out);
  return q.scale;
}

/// Sums of 4 << levels values from p on, one in each lane; values from `end` on are taken for zeros by the vector.
template <class S, int levels>
NARROW_INLINE typename S::I sum_neighbours(const int8_t* p, const int8_t* end) {
  if constexpr (levels == 0)
    return p < end ? S::sum_fours(p) : S::broadcast(int32_t{0});
  else
    return S::add_pairs(sum_neighbours<S, levels - 1>(p, end),
                        sum_neighbours<S, levels - 1>(p + (2 << levels) * S::width, end));
}

/// sums[g] = factor * (the sum of group g of a row's values), modulo 2^32, of values that zeros follow up to a multiple of 64.
/// Groups of the usual sizes are short: to add up each by itself would be to spend the time on the lanes of its last vector. So
/// all values are first added up in runs of 4 << levels, of which a group has a whole number.
template <class S, int levels>
NARROW_INLINE void sum_groups(const Groups& groups, const int8_t* values, int32_t* sums) {
  using I = typename S::I;
  constexpr ptrdiff_t run = 4 << levels;
  const ptrdiff_t runs = (groups.k_padded + run - 1) / run, of_group = groups.size / run;
  const int8_t* const end = values + groups.k_padded;
  ptrdiff_t within = 0;
  uint32_t sum = 0;
  const auto scaled = [&]() NARROW_LAMBDA { return static_cast<int32_t>(sum * static_cast<uint32_t>(groups.sum_factor)); };
  for (ptrdiff_t i = 0; i < runs; i += S::width) {
    const int8_t* const from = values + i * run;
    const int count = runs - i < S::width ? static_cast<int>(runs - i) : S::width;
    const I part = sum_neighbours<S, levels>(from, count < S::width ? end : from + run * S::width);
    if (of_group == 1) {
      S::store(sums + i, S::mul(part, S::broadcast(groups.sum_factor)), count);
      continue;
    }
    int32_t lanes[S::width];
    S::store(lanes, part);
    for (int j = 0; j < count; ++j) {
      sum += static_cast<uint32_t>(lanes[j]);
      if (++within < of_group) continue;
      *sums++ = scaled();
      sum = 0;
      within = 0;
    }
  }
  if (within > 0) *sums = scaled();
}

/// fill(row, out) writes the values of a row; fill_group(row, group, first, count, out) those of a group and returns its scale,
/// where groups have scales.
template <class S, class Fill, class FillGroup>
NARROW_INLINE void pack_grouped_rows(const PackAArgs& args, Fill fill, FillGroup fill_group) {
  const Groups& groups = *args.groups;
  for (int i = 0; i < args.rows; ++i) {
    char* const row = static_cast<char*>(args.dst) + i * args.dst_stride;
    int8_t* const values = reinterpret_cast<int8_t*>(row);
    int32_t* const sums = reinterpret_cast<int32_t*>(row + groups.a_sums);
    float* const scales = reinterpret_cast<float*>(row + groups.a_scales);
    if (groups.row_scales) {
      for (ptrdiff_t g = 0; g < groups.count; ++g) {
        const ptrdiff_t first = g * groups.size;
        scales[g] = fill_group(i, g, first, args.k - first < groups.size ? args.k - first : groups.size, values + first);
      }
    } else {
      fill(i, values);
    }
    for (ptrdiff_t j = args.k; j < groups.a_sums; ++j) values[j] = 0;
    if (groups.size % 32 == 0)
      sum_groups<S, 3>(groups, values, sums);
    else
      sum_groups<S, 1>(groups, values, sums);
  }
}

template <class S, class Source>
void pack_grouped_floats(const PackAArgs& args) {
  auto from = [&](int i) { return static_cast<const Source*>(args.src) + i * args.stride; };
  auto ahead = [&](int i) { return ahead_of_row(args, i, 1); };
  pack_grouped_rows<S>(
      args, [&](int i, int8_t* out) NARROW_LAMBDA { args.scale[i] = quantize_run<S>(from(i), args.k, ahead(i), out); },
      [&](int i, ptrdiff_t, ptrdiff_t first, ptrdiff_t count, int8_t* out)
          NARROW_LAMBDA { return quantize_run<S>(from(i) + first, count, ahead(i), out); });
}

template <class S>
void pack_group_a(const PackAArgs& args) {
  switch (args.src_type) {
    case Type::s8: {
      auto from = [&](int i) { return static_cast<const int8_t*>(args.src) + i * args.stride; };
      return pack_grouped_rows<S>(
          args, [&](int i, int8_t* out) NARROW_LAMBDA { copy(from(i), args.k, out); },
          [&](int i, ptrdiff_t g, ptrdiff_t first, ptrdiff_t count, int8_t* out) NARROW_LAMBDA {
            copy(from(i) + first, count, out);
            return args.group_scale[i * args.groups->count + g];
          });
    }
    case Type::u4:
    case Type::s4: {
      const int sign = args.src_type == Type::s4 ? 8 : 0;
      auto from = [&](int i) { return static_cast<const uint8_t*>(args.src) + i * args.stride / 2; };
      return pack_grouped_rows<S>(
          args, [&](int i, int8_t* out) NARROW_LAMBDA { copy_nibbles(from(i), args.k, sign, 0, out); },
          [&](int i, ptrdiff_t g, ptrdiff_t first, ptrdiff_t count, int8_t* out) NARROW_LAMBDA {
            copy_nibbles(from(i) + first / 2, count, sign, 0, out);
            return args.group_scale[i * args.groups->count + g];
          });
    }
    case Type::f32:
      return pack_grouped_floats<S, float>(args);
    case Type::bf16:
      return pack_grouped_floats<S, Bf16>(args);
    default:
      return pack_grouped_floats<S, F16>(args);
  }
}

}  // namespace
}  // namespace narrow
