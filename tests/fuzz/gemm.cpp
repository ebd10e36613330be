// The public calls with any description: refused with a reason, or the reference's bits.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
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

bool same(const unsigned char* x, const unsigned char* y, Type type) {
  if (std::memcmp(x, y, size_of(type)) == 0) return true;
  return is_float(type) && std::isnan(load(x, type, 0)) && std::isnan(load(y, type, 0));
}

/// The blob as a file would bring it back: whole, or refused because a bit of it changed.
void reopen(Input& in, Packed* p) {
  const std::size_t bytes = p->blob.size(), at = in.word() % bytes;
  Guarded copy(bytes, Weights::alignment);
  std::memcpy(copy.data(), p->blob.data(), bytes);
  const auto bit = static_cast<unsigned char>(1 << in.below(8));
  copy.data()[at] ^= bit;
  const Status damaged = Weights::open(copy.data(), bytes, &p->weights);
  if (damaged.ok()) std::abort();
  refused(damaged);
  copy.data()[at] ^= bit;
  if (!Weights::open(copy.data(), bytes, &p->weights).ok()) std::abort();
  p->blob = std::move(copy);
  p->blob.make_read_only();
}

/// A product of any description, drawn in the order in which it is asked for.
class Drawn {
 public:
  explicit Drawn(Input& in) : in_(in), rng_(in.word()) {
    w.layout = in.below(4) == 0 ? static_cast<Layout>(in.below(8)) : Layout::matrix;
    static constexpr Type types[] = {Type::s8, Type::s8, Type::u4, Type::s4, Type::b1, Type::b1};
    w.type = types[in.below(6)];
    if (bits()) w.operand = in.flag() ? Type::b1 : Type::s8;
    const std::int64_t blocks = matrix() || in.below(8) == 0 ? 1 : 8;  // which most layouts are made of; of ggml's a quarter
    m_ = in.below(20), w.n = in.below(140) / blocks * blocks, w.k = in.below(150) / blocks * blocks;
    if (bits()) w.k *= 1 + in.below(9);
  }

  WeightsDesc w;
  GemmDesc d;

  void draw_weights() {
    const bool by_column = w.layout == Layout::gptq || w.layout == Layout::awq;  // groups of the layouts for files
    w.order = matrix() ? static_cast<Order>(in_.below(2)) : by_column ? Order::kn : Order::nk;
    if (bits() && !rarely()) w.order = Order::nk;
    w.cap = static_cast<Tier>(in_.below(tier_count));
    w.scale_per = static_cast<Per>(in_.below(3));
    w.zero_point_per = static_cast<Per>(in_.below(3));
    const float* scale = draw<float>(per_column(w.scale_per), [&] { return in_.scale(); });
    const std::int32_t* zero_point = draw<std::int32_t>(per_column(w.zero_point_per), [&] { return in_.integer(); });
    if (in_.flag()) w.scale = scale;
    if (in_.flag() && (!bits() || rarely())) w.zero_point = zero_point;
    if (ggml() || (in_.flag() && (!bits() || rarely()))) draw_groups();
    draw_data();
  }

  void draw_desc() {
    d.cap = w.cap;
    d.a = static_cast<Type>(in_.below(11));
    d.dynamic = static_cast<Dynamic>(in_.below(3));
    d.a_scale_per = static_cast<Per>(in_.below(4));
    d.a_scale = in_.scale();
    d.a_zero_point_per = static_cast<Per>(in_.below(3));
    d.a_zero_point = bits() && in_.flag() ? 0 : in_.integer();
    if (in_.flag()) {
      d.a_threshold_per = in_.flag() ? Per::column : Per::tensor;
      d.a_threshold =
          draw<float>(d.a_threshold_per == Per::column ? w.k : 1, [&] { return static_cast<float>(rng_.real(-100, 100)); });
    }
    draw_output();
  }

  void draw_operands() {
    const std::int64_t k = elements_of(d.a, w.k), n = elements_of(d.c, w.n);
    args_.m = m_;
    args_.a_stride = k + in_.below(4);
    if (is_4bit(d.a)) args_.a_stride += args_.a_stride % 2;
    args_.c_stride = n + in_.below(4);
    args_.residual_stride = w.n + in_.below(4);
    Guarded a = noise(matrix_bytes(d.a, m_, k, args_.a_stride), is_4bit(d.a) ? 1 : size_of(d.a), rng_);
    if (d.a == Type::b1 && !rarely()) clear_padding(a.data(), m_, args_.a_stride, w.k);
    args_.a = keep(std::move(a));
    args_.residual = keep(noise(matrix_elements(m_, w.n, args_.residual_stride) * size_of(d.residual), 4, rng_));
    args_.a_scale = draw<float>(m_ * scales_of_a_row(), [&] { return in_.scale(); });
    args_.a_zero_point = draw<std::int32_t>(m_, [&] { return in_.integer(); });
    c_ = noise(matrix_elements(m_, n, args_.c_stride) * size_of(d.c), size_of(d.c), rng_);
    args_.c = c_.data();
  }

  /// Runs it in one call of any kind, and compares.
  void check(const Gemm& plan) {
    std::vector<unsigned char> expected(c_.data(), c_.data() + c_.size());
    if (const Status s = run(plan); !s.ok()) return refused(s);
    GemmArgs reference = args_;
    reference.c = expected.data();
    define(reference);
    const std::size_t element = size_of(d.c);
    for (std::size_t at = 0; at < expected.size(); at += element)
      if (!same(c_.data() + at, expected.data() + at, d.c)) {
        const auto index = static_cast<std::int64_t>(at / element);
        std::fprintf(stderr, "%s, m %d n %d k %d: row %d, column %d differs\n", plan.info().kernel, int(m_), int(w.n), int(w.k),
                     int(index / args_.c_stride), int(index % args_.c_stride));
        std::abort();
      }
  }

 private:
  bool matrix() const { return w.layout == Layout::matrix; }
  bool ggml() const { return w.layout == Layout::ggml_q4_0 || w.layout == Layout::ggml_q4_1 || w.layout == Layout::ggml_q8_0; }
  bool bits() const { return w.type == Type::b1; }
  bool rarely() { return in_.below(8) == 0; }
  std::int64_t per_column(Per per) const { return per == Per::column ? w.n : 1; }
  std::int64_t scales_of_a_row() const { return d.a_scale_per == Per::group && w.groups.size != 0 ? group_count(w) : 1; }

  /// Arrays stay until the end.
  unsigned char* keep(Guarded array) {
    arrays_.push_back(std::move(array));
    return arrays_.back().data();
  }
  template <class T, class Draw>
  const T* draw(std::int64_t count, Draw value) {
    keep(guarded_array<T>(count, value));
    return arrays_.back().as<T>();
  }

  void draw_data() {
    const bool nk = w.order == Order::nk;
    const std::int64_t rows = nk ? w.n : w.k, columns = nk ? elements_of(w.type, w.k) : w.n;
    w.stride = !matrix() || in_.flag() ? 0 : columns + in_.below(5);
    const std::int64_t stride = w.stride != 0 ? w.stride : columns;
    Guarded data = noise(matrix() ? matrix_bytes(w.type, rows, columns, stride) : layout_bytes(w), 1, rng_);
    if (matrix() && bits() && nk && !rarely()) clear_padding(data.data(), rows, stride, w.k);
    w.data = keep(std::move(data));
  }
  /// Scales that are finite, zero points of all types, mostly such as go with the weights, and sometimes a permutation.
  void draw_groups() {
    GroupsDesc& g = w.groups;
    g.size = ggml() ? 32 : 8 * in_.below(10) + (in_.below(16) == 0);
    if (g.size == 0 || (ggml() && !rarely())) return;
    static constexpr Type scale_types[] = {Type::f32, Type::bf16, Type::f16, Type::s8};
    static constexpr Type zero_types[] = {Type::u8, Type::u4, Type::s4, Type::f32, Type::bf16, Type::f16};
    g.scale_type = scale_types[in_.below(rarely() ? 4 : 3)];
    g.scale = draw_of_groups(g.scale_type);
    if (in_.flag()) {
      g.zero_point_type = zero_types[in_.below(6)];
      g.zero_point = draw_of_groups(g.zero_point_type);
    }
    if (in_.below(4) == 0) draw_permutation();
  }
  /// One array of as many values of a type as there are groups.
  const void* draw_of_groups(Type type) {
    const bool nk = w.order == Order::nk;
    const std::int64_t count = group_count(w), rows = nk ? w.n : count, columns = nk ? count : w.n;
    Guarded array = noise(matrix_bytes(type, rows, columns, columns), 4, rng_);
    const std::size_t size = size_of(type);
    for (std::size_t at = 0; at < array.size() && size > 0; at += size) {
      unsigned char* last = array.data() + at + size - 1;
      if (is_float(type))
        *last &= 0xbf;  // below 2
      else if (w.type == Type::u4)
        *last &= 15;
      else if (w.type == Type::s4)
        *last = static_cast<unsigned char>((*last & 15) - 8);
    }
    return keep(std::move(array));
  }
  void draw_permutation() {
    std::vector<std::int32_t> order(static_cast<std::size_t>(w.k));
    for (std::int64_t i = 0; i < w.k; ++i) {
      const std::int64_t at = rng_.between(0, i);
      order[i] = order[at];
      order[at] = static_cast<std::int32_t>(i);
    }
    if (w.k > 0 && rarely()) order[rng_.between(0, w.k - 1)] = in_.integer();
    keep(guarded_copy(order.data(), order.size()));
    w.permutation = arrays_.back().as<std::int32_t>();
  }

  void draw_output() {
    const std::int64_t n = w.n;
    d.c = static_cast<Type>(in_.below(9));
    const std::int32_t* bias_s32 = draw<std::int32_t>(n, [&] { return static_cast<std::int32_t>(rng_.next()) / 2; });
    const float* bias_f32 = draw<float>(n, [&] { return static_cast<float>(rng_.real(-100, 100)); });
    if (in_.below(4) == 0) d.bias_s32 = bias_s32;
    if (in_.below(4) == 0) d.bias_f32 = bias_f32;
    d.accumulate = in_.below(4) == 0;
    d.residual = in_.flag() ? Type::none : static_cast<Type>(in_.below(8));
    d.residual_scale = in_.scale();
    d.residual_zero_point = in_.integer();
    d.activation = static_cast<Activation>(in_.below(7));
    d.slope = in_.scale();
    d.lo = in_.scale() - 1;
    d.hi = in_.scale();
    d.c_scale = in_.scale();
    d.c_zero_point = in_.integer();
    d.requantize = static_cast<Requantize>(in_.below(4) == 0);
    d.multiplier_per = in_.flag() ? Per::column : Per::tensor;
    d.multiplier = draw<std::int32_t>(n + 1, [&] { return static_cast<std::int32_t>(rng_.between(1 << 30, INT32_MAX)); });
    d.shift = draw<std::int32_t>(n + 1, [&] { return static_cast<std::int32_t>(rng_.between(1, 62)); });
    if (d.c == Type::b1) draw_thresholds();
  }
  /// For an output of bits, which takes little of what other outputs do.
  void draw_thresholds() {
    d.threshold = draw<std::int32_t>(w.n, [&] {
      return rng_.one_in(8) ? static_cast<std::int32_t>(rng_.next()) : static_cast<std::int32_t>(rng_.between(-300, 300));
    });
    const int most = rarely() ? 2 : 1;
    if (in_.flag()) d.at_most = draw<std::uint8_t>(w.n, [&] { return static_cast<std::uint8_t>(rng_.between(0, most)); });
    if (rarely()) return;
    d.bias_f32 = nullptr, d.accumulate = false, d.residual = Type::none, d.activation = Activation::none;
    d.requantize = Requantize::float_multiplier;
  }

  /// The arguments for some of the rows.
  GemmArgs rows(std::int64_t first, std::int64_t count) const {
    GemmArgs part = args_;
    part.m = count;
    part.a = static_cast<const char*>(args_.a) + bytes_of(d.a, first * args_.a_stride);
    part.c = static_cast<char*>(args_.c) + bytes_of(d.c, first * args_.c_stride);
    part.residual = static_cast<const char*>(args_.residual) + bytes_of(d.residual, first * args_.residual_stride);
    part.a_scale = args_.a_scale + first * scales_of_a_row();
    part.a_zero_point = args_.a_zero_point + first;
    return part;
  }

  /// One call of any kind, in which rows are cut in some way.
  Status run(const Gemm& plan) {
    const Parallel parallel = in_.parallel();
    const std::int64_t kind = in_.below(5), count = 1 + in_.below(5), of_item = m_ / count;
    std::vector<std::int64_t> offsets{0, m_};
    for (int i = 1; i < count; ++i) offsets.push_back(rng_.between(0, m_));
    std::sort(offsets.begin(), offsets.end());
    if (kind == 1) {
      const std::vector<Gemm> plans(static_cast<std::size_t>(count), plan);
      const Guarded scratch(Gemm::grouped_scratch_size(plans.data(), static_cast<int>(count), m_, parallel.threads));
      return Gemm::run_grouped(plans.data(), static_cast<int>(count), offsets.data(), args_, scratch.data(), scratch.size(),
                               parallel);
    }
    const Guarded scratch(plan.scratch_size(m_, parallel.threads), Gemm::scratch_alignment);
    if (kind == 2) {
      std::vector<GemmArgs> items;
      for (int i = 0; i < count; ++i) items.push_back(rows(offsets[i], offsets[i + 1] - offsets[i]));
      return plan.run_batch(items.data(), static_cast<int>(count), scratch.data(), scratch.size(), parallel);
    }
    if (kind == 3 && m_ % count == 0)
      return plan.run_strided(rows(0, of_item), static_cast<int>(count), of_item * args_.a_stride, of_item * args_.c_stride,
                              of_item * args_.residual_stride, scratch.data(), scratch.size(), parallel);
    return plan.run(args_, scratch.data(), scratch.size(), parallel);
  }

  /// What C should be: by the definition, or, where that does not know how weights lie, by the generic tier.
  void define(const GemmArgs& args) {
    if (matrix() && w.permutation == nullptr) return reference_gemm(d, w, args);
    w.cap = d.cap = Tier::generic;
    const Packed p = packed(w);
    Gemm plan;
    if (!Gemm::plan(d, p.weights, &plan).ok() || !plan.run(args).ok()) std::abort();  // what one tier accepts, all do
  }

  Input& in_;
  Rng rng_;
  std::int64_t m_;
  GemmArgs args_;
  Guarded c_;
  std::vector<Guarded> arrays_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  Drawn drawn(in);
  drawn.draw_weights();
  Packed p = packed(drawn.w);
  if (!p.status.ok()) return refused(p.status), 0;
  if (in.flag()) reopen(in, &p);
  drawn.draw_desc();
  Gemm plan;
  if (const Status s = Gemm::plan(drawn.d, p.weights, &plan); !s.ok()) return refused(s), 0;
  drawn.draw_operands();
  drawn.check(plan);
  return 0;
}
