// The public calls with any description: refused with a reason, or the reference's bits.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/fuzz/input.h"
#include "tests/guarded.h"
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

template <class T, class Draw>
Guarded values(std::int64_t count, Draw value) {
  Guarded memory(static_cast<std::size_t>(count) * sizeof(T), alignof(T));
  for (std::int64_t i = 0; i < count; ++i) memory.as<T>()[i] = value();
  return memory;
}

bool same(const unsigned char* x, const unsigned char* y, Type type) {
  if (std::memcmp(x, y, size_of(type)) == 0) return true;
  return is_float(type) && std::isnan(load(x, type, 0)) && std::isnan(load(y, type, 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  Rng rng(in.word());
  const std::int64_t m = in.below(20), n = in.below(140), k = in.below(150);
  const auto count = [&](Per per, Per each, std::int64_t many) { return per == each ? many : std::int64_t{1}; };

  WeightsDesc w;
  w.k = k;
  w.n = n;
  w.order = static_cast<Order>(in.below(2));
  w.stride = in.flag() ? 0 : (w.order == Order::nk ? k : n) + in.below(5);
  w.cap = static_cast<Tier>(in.below(tier_count));
  const std::int64_t b_stride = w.stride != 0 ? w.stride : w.order == Order::nk ? k : n;
  const Guarded b = noise(matrix_elements(w.order == Order::nk ? n : k, w.order == Order::nk ? k : n, b_stride), 1, rng);
  w.data = b.data();
  w.scale_per = static_cast<Per>(in.below(3));
  w.zero_point_per = static_cast<Per>(in.below(3));
  const Guarded b_scale = values<float>(count(w.scale_per, Per::column, n), [&] { return in.scale(); });
  const Guarded b_zero_point = values<std::int32_t>(count(w.zero_point_per, Per::column, n), [&] { return in.integer(); });
  if (in.flag()) w.scale = b_scale.as<float>();
  if (in.flag()) w.zero_point = b_zero_point.as<std::int32_t>();

  std::size_t bytes = 0;
  if (const Status s = Weights::packed_size(w, &bytes); !s.ok()) return refused(s), 0;
  Guarded blob(bytes, Weights::alignment);
  Weights weights;
  if (const Status s = Weights::pack(w, blob.data(), bytes, &weights); !s.ok()) return refused(s), 0;

  GemmDesc d;
  d.cap = w.cap;
  d.a = static_cast<Type>(in.below(8));
  d.dynamic = static_cast<Dynamic>(in.below(3));
  d.a_scale_per = static_cast<Per>(in.below(3));
  d.a_scale = in.scale();
  d.a_zero_point_per = static_cast<Per>(in.below(3));
  d.a_zero_point = in.integer();
  d.c = static_cast<Type>(in.below(8));
  const Guarded bias_s32 = values<std::int32_t>(n, [&] { return static_cast<std::int32_t>(rng.next()) / 2; });
  const Guarded bias_f32 = values<float>(n, [&] { return static_cast<float>(rng.real(-100, 100)); });
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
  const Guarded multiplier = values<std::int32_t>(n + 1, [&] { return static_cast<std::int32_t>(rng.between(1 << 30, INT32_MAX)); });
  const Guarded shift = values<std::int32_t>(n + 1, [&] { return static_cast<std::int32_t>(rng.between(1, 62)); });
  d.multiplier = multiplier.as<std::int32_t>();
  d.shift = shift.as<std::int32_t>();

  Gemm plan;
  if (const Status s = Gemm::plan(d, weights, &plan); !s.ok()) return refused(s), 0;

  GemmArgs args;
  args.m = m;
  args.a_stride = k + in.below(4);
  args.c_stride = n + in.below(4);
  args.residual_stride = n + in.below(4);
  const Guarded a = noise(matrix_elements(m, k, args.a_stride) * size_of(d.a), size_of(d.a), rng);
  const Guarded residual = noise(matrix_elements(m, n, args.residual_stride) * size_of(d.residual), 4, rng);
  const Guarded c = noise(matrix_elements(m, n, args.c_stride) * size_of(d.c), size_of(d.c), rng);
  const Guarded a_scale = values<float>(m, [&] { return in.scale(); });
  const Guarded a_zero_point = values<std::int32_t>(m, [&] { return in.integer(); });
  args.a = a.data();
  args.c = c.data();
  args.residual = residual.data();
  args.a_scale = a_scale.as<float>();
  args.a_zero_point = a_zero_point.as<std::int32_t>();

  const Parallel parallel = in.parallel();
  std::vector<unsigned char> expected(c.data(), c.data() + c.size());
  const Guarded scratch(plan.scratch_size(m, parallel.threads), Gemm::scratch_alignment);
  if (const Status s = plan.run(args, scratch.data(), scratch.size(), parallel); !s.ok()) return refused(s), 0;

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
