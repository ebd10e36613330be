// The public calls with any description: refused with a reason, or the reference's bits.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/fuzz/input.h"
#include "tests/guarded.h"
#include "tests/packed.h"
#include "tests/reference.h"
#include "tests/rng.h"

namespace {

using namespace narrow;
using namespace narrow::test;

/// `bytes` bytes: for floats any bits, which is what integers are as well.
Guarded noise(std::size_t bytes, std::size_t alignment, Rng& rng) {
  Guarded memory(bytes, alignment);
  for (std::size_t i = 0; i < bytes; ++i) memory.data()[i] = static_cast<unsigned char>(rng.next());
  return memory;
}

/// Bytes of a matrix of which each row of nibbles begins with a byte of its own.
std::size_t matrix_bytes(Type type, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  if (!is_4bit(type)) return matrix_elements(rows, cols, stride) * size_of(type);
  return matrix_elements(rows, (cols + 1) / 2, (stride + 1) / 2);
}

/// Bytes of weights in a file's layout, where k and n are multiples of its blocks.
std::size_t layout_bytes(const WeightsDesc& w) {
  const auto of_blocks = [&](std::int64_t bytes) { return static_cast<std::size_t>(w.n * (w.k / 32) * bytes); };
  switch (w.layout) {
    case Layout::ggml_q4_0:
      return of_blocks(18);
    case Layout::ggml_q4_1:
      return of_blocks(20);
    case Layout::ggml_q8_0:
      return of_blocks(34);
    case Layout::matmul_nbits:
      return w.groups.size == 0 ? 0 : static_cast<std::size_t>(w.n * group_count(w) * w.groups.size / 2);
    default:
      return static_cast<std::size_t>(w.k * w.n / 2);
  }
}

/// Groups of the weights: scales that are finite, zero points of all types, mostly such as go with the weights. Returns the
/// arrays.
std::vector<Guarded> draw_groups(Input& in, Rng& rng, WeightsDesc* w) {
  static constexpr Type scale_types[] = {Type::f32, Type::bf16, Type::f16, Type::s8};
  static constexpr Type zero_types[] = {Type::u8, Type::u4, Type::s4, Type::f32, Type::bf16, Type::f16};
  std::vector<Guarded> arrays;
  w->groups.size = 8 * in.below(10) + (in.below(16) == 0);
  if (w->groups.size == 0) return arrays;
  const bool nk = w->order == Order::nk;
  const std::int64_t count = group_count(*w), rows = nk ? w->n : count, cols = nk ? count : w->n;
  const auto draw = [&](Type type) {
    Guarded array = noise(matrix_bytes(type, rows, cols, cols), 4, rng);
    const std::size_t size = size_of(type);
    for (std::size_t at = 0; at < array.size() && size > 0; at += size) {
      unsigned char* last = array.data() + at + size - 1;
      if (is_float(type))
        *last &= 0xbf;  // below 2
      else if (w->type == Type::u4)
        *last &= 15;
      else if (w->type == Type::s4)
        *last = static_cast<unsigned char>((*last & 15) - 8);
    }
    return array;
  };
  w->groups.scale_type = scale_types[in.below(in.below(8) == 0 ? 4 : 3)];
  arrays.push_back(draw(w->groups.scale_type));
  w->groups.scale = arrays.back().data();
  if (in.flag()) {
    w->groups.zero_point_type = zero_types[in.below(6)];
    arrays.push_back(draw(w->groups.zero_point_type));
    w->groups.zero_point = arrays.back().data();
  }
  return arrays;
}

bool same(const unsigned char* x, const unsigned char* y, Type type) {
  if (std::memcmp(x, y, size_of(type)) == 0) return true;
  return is_float(type) && std::isnan(load(x, type, 0)) && std::isnan(load(y, type, 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  Rng rng(in.word());
  const auto layout = in.below(4) == 0 ? static_cast<Layout>(in.below(8)) : Layout::matrix;
  const bool matrix = layout == Layout::matrix;
  const std::int64_t blocks = matrix || in.below(8) == 0 ? 1 : 8;  // which most layouts are made of; of ggml's a quarter
  const std::int64_t m = in.below(20), n = in.below(140) / blocks * blocks, k = in.below(150) / blocks * blocks;
  const auto count = [&](Per per, Per each, std::int64_t many) { return per == each ? many : std::int64_t{1}; };

  WeightsDesc w;
  w.k = k;
  w.n = n;
  static constexpr Type types[] = {Type::s8, Type::s8, Type::u4, Type::s4};
  w.type = types[in.below(4)];
  w.layout = layout;
  const bool by_column = w.layout == Layout::gptq || w.layout == Layout::awq;  // groups of the layouts for files
  w.order = matrix ? static_cast<Order>(in.below(2)) : by_column ? Order::kn : Order::nk;
  w.stride = !matrix || in.flag() ? 0 : (w.order == Order::nk ? k : n) + in.below(5);
  w.cap = static_cast<Tier>(in.below(tier_count));
  const std::int64_t b_stride = w.stride != 0 ? w.stride : w.order == Order::nk ? k : n;
  const Guarded b = noise(matrix_bytes(w.type, w.order == Order::nk ? n : k, w.order == Order::nk ? k : n, b_stride), 1, rng);
  w.data = b.data();
  w.scale_per = static_cast<Per>(in.below(3));
  w.zero_point_per = static_cast<Per>(in.below(3));
  const Guarded b_scale = guarded_array<float>(count(w.scale_per, Per::column, n), [&] { return in.scale(); });
  const Guarded b_zero_point = guarded_array<std::int32_t>(count(w.zero_point_per, Per::column, n), [&] { return in.integer(); });
  if (in.flag()) w.scale = b_scale.as<float>();
  if (in.flag()) w.zero_point = b_zero_point.as<std::int32_t>();
  std::vector<Guarded> group_arrays;
  if (in.flag()) group_arrays = draw_groups(in, rng, &w);
  if (layout == Layout::ggml_q4_0 || layout == Layout::ggml_q4_1 || layout == Layout::ggml_q8_0) {
    if (in.below(8) != 0) w.groups = {};
    w.groups.size = 32;
  }
  const Guarded b_of_file = noise(matrix ? 0 : layout_bytes(w), 1, rng);
  if (!matrix) w.data = b_of_file.data();

  const Packed p = packed(w);
  if (!p.status.ok()) return refused(p.status), 0;

  GemmDesc d;
  d.cap = w.cap;
  d.a = static_cast<Type>(in.below(11));
  d.dynamic = static_cast<Dynamic>(in.below(3));
  d.a_scale_per = static_cast<Per>(in.below(4));
  d.a_scale = in.scale();
  d.a_zero_point_per = static_cast<Per>(in.below(3));
  d.a_zero_point = in.integer();
  d.c = static_cast<Type>(in.below(8));
  const Guarded bias_s32 = guarded_array<std::int32_t>(n, [&] { return static_cast<std::int32_t>(rng.next()) / 2; });
  const Guarded bias_f32 = guarded_array<float>(n, [&] { return static_cast<float>(rng.real(-100, 100)); });
  if (in.below(4) == 0) d.bias_s32 = bias_s32.as<std::int32_t>();
  if (in.below(4) == 0) d.bias_f32 = bias_f32.as<float>();
  d.accumulate = in.below(4) == 0;
  d.residual = in.flag() ? Type::none : static_cast<Type>(in.below(8));
  d.residual_scale = in.scale();
  d.residual_zero_point = in.integer();
  d.activation = static_cast<Activation>(in.below(7));
  d.slope = in.scale();
  d.lo = in.scale() - 1;
  d.hi = in.scale();
  d.c_scale = in.scale();
  d.c_zero_point = in.integer();
  d.requantize = static_cast<Requantize>(in.below(4) == 0);
  d.multiplier_per = in.flag() ? Per::column : Per::tensor;
  const Guarded multiplier =
      guarded_array<std::int32_t>(n + 1, [&] { return static_cast<std::int32_t>(rng.between(1 << 30, INT32_MAX)); });
  const Guarded shift = guarded_array<std::int32_t>(n + 1, [&] { return static_cast<std::int32_t>(rng.between(1, 62)); });
  d.multiplier = multiplier.as<std::int32_t>();
  d.shift = shift.as<std::int32_t>();

  Gemm plan;
  if (const Status s = Gemm::plan(d, p.weights, &plan); !s.ok()) return refused(s), 0;

  GemmArgs args;
  args.m = m;
  args.a_stride = k + in.below(4);
  if (is_4bit(d.a)) args.a_stride += args.a_stride % 2;
  args.c_stride = n + in.below(4);
  args.residual_stride = n + in.below(4);
  const Guarded a = noise(matrix_bytes(d.a, m, k, args.a_stride), is_4bit(d.a) ? 1 : size_of(d.a), rng);
  const Guarded residual = noise(matrix_elements(m, n, args.residual_stride) * size_of(d.residual), 4, rng);
  const Guarded c = noise(matrix_elements(m, n, args.c_stride) * size_of(d.c), size_of(d.c), rng);
  const Guarded a_scale = guarded_array<float>(d.a_scale_per == Per::group ? m * group_count(w) : m, [&] { return in.scale(); });
  const Guarded a_zero_point = guarded_array<std::int32_t>(m, [&] { return in.integer(); });
  args.a = a.data();
  args.c = c.data();
  args.residual = residual.data();
  args.a_scale = a_scale.as<float>();
  args.a_zero_point = a_zero_point.as<std::int32_t>();

  const Parallel parallel = in.parallel();
  std::vector<unsigned char> expected(c.data(), c.data() + c.size());
  const Guarded scratch(plan.scratch_size(m, parallel.threads), Gemm::scratch_alignment);
  if (const Status s = plan.run(args, scratch.data(), scratch.size(), parallel); !s.ok()) return refused(s), 0;

  if (!matrix) return 0;  // tests/layouts.cpp has their definition
  GemmArgs reference = args;
  reference.c = expected.data();
  reference_gemm(d, w, reference);
  const std::size_t element = size_of(d.c);
  for (std::size_t at = 0; at < expected.size(); at += element)
    if (!same(c.data() + at, expected.data() + at, d.c)) {
      const auto index = static_cast<std::int64_t>(at / element);
      std::fprintf(stderr, "%s, m %d n %d k %d: row %d, column %d differs\n", plan.info().kernel, int(m), int(n), int(k),
                   int(index / args.c_stride), int(index % args.c_stride));
      std::abort();
    }
  return 0;
}
