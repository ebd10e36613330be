// The public product: checks, and what a plan resolves once for all its runs.
#include "narrow/gemm.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "src/bits.h"
#include "src/cpu.h"
#include "src/driver.h"
#include "src/gemm.h"
#include "src/registry.h"
#include "src/weights.h"

namespace narrow {
namespace {

constexpr Status scratch_too_small{Code::scratch_too_small, "gemm: the scratch buffer is smaller than scratch_size says"};
Status bad(const char* reason) { return {Code::invalid_argument, reason}; }

bool is_float(Type t) { return t == Type::f32 || t == Type::bf16 || t == Type::f16; }
bool is_int8(Type t) { return t == Type::s8 || t == Type::u8; }
bool in_range(std::int32_t value, Type t) { return t == Type::u8 ? value >= 0 && value <= 255 : value >= -128 && value <= 127; }

Status check_a(const GemmDesc& d, bool bits) {
  if (!is_int8(d.a) && !is_float(d.a) && d.a != Type::b1)
    return {Code::unsupported, "gemm: a must be u8, s8, f32, bf16, f16 or b1"};
  if (d.a == Type::b1 && !bits) return {Code::unsupported, "gemm: b1 takes b1 weights that are packed for b1"};
  if (is_float(d.a) && !bits) {
    if (d.dynamic != Dynamic::symmetric && d.dynamic != Dynamic::asymmetric) return bad("gemm: unknown dynamic quantization");
    return {};
  }
  if (d.a_scale_per != Per::tensor && d.a_scale_per != Per::row && d.a_scale_per != Per::group)
    return bad("gemm: scales of a are per tensor, row or group");
  if (d.a_zero_point_per != Per::tensor && d.a_zero_point_per != Per::row)
    return bad("gemm: zero points of a are per tensor or per row");
  if (!std::isfinite(d.a_scale)) return bad("gemm: a_scale is not finite");
  if (bits && (d.a_zero_point_per != Per::tensor || d.a_zero_point != 0))
    return bad("gemm: bits have no zero points");
  if (!bits && !in_range(d.a_zero_point, d.a)) return bad("gemm: a_zero_point is outside the range of a's type");
  return {};
}

/// What weights with groups of k do not go together with, and what goes with them only.
Status check_groups(const GemmDesc& d, bool grouped) {
  if (!grouped) {
    return d.a_scale_per == Per::group ? bad("gemm: scales of a per group need weights with groups") : Status{};
  }
  if (d.a == Type::u8) return {Code::unsupported, "gemm: weights with groups take a as s8, f32, bf16 or f16"};
  if (is_float(d.a) && d.dynamic != Dynamic::symmetric)
    return {Code::unsupported, "gemm: with groups, a is quantized symmetrically"};
  if (!is_float(d.a) && (d.a_zero_point_per != Per::tensor || d.a_zero_point != 0))
    return {Code::unsupported, "gemm: with groups, a has no zero point"};
  if (d.c == Type::s32 || d.requantize == Requantize::fixed_point)
    return {Code::unsupported, "gemm: sums over groups are floats: no s32 output, no fixed_point"};
  if (d.bias_s32) return {Code::unsupported, "gemm: sums over groups are floats: no s32 bias"};
  return {};
}

Status check_fixed_point(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (!is_int8(d.c)) return bad("gemm: fixed_point needs an s8 or u8 output");
  if (d.bias_f32) return bad("gemm: fixed_point takes an s32 bias");
  if (d.residual != Type::none) return bad("gemm: fixed_point takes no residual");
  if (d.activation != Activation::none && d.activation != Activation::relu && d.activation != Activation::clamp)
    return bad("gemm: fixed_point takes the activations none, relu and clamp");
  if (quantized || d.a_scale_per == Per::row) return bad("gemm: fixed_point needs one scale for all rows of a");
  if (d.multiplier_per != Per::tensor && d.multiplier_per != Per::column)
    return bad("gemm: multipliers are per tensor or per column");
  if (!d.multiplier || !d.shift) return bad("gemm: fixed_point needs multiplier and shift");
  for (std::int64_t j = 0, count = d.multiplier_per == Per::column ? n : 1; j < count; ++j) {
    if (d.multiplier[j] < (1 << 30)) return bad("gemm: a multiplier is outside [2^30, 2^31)");
    if (d.shift[j] < 1 || d.shift[j] > 62) return bad("gemm: a shift is outside [1, 62]");
  }
  return {};
}

Status check_bits(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (!d.threshold && n > 0) return bad("gemm: a b1 output needs thresholds");
  if (quantized) return bad("gemm: a b1 output needs an integer a, or one of bits");
  if (d.bias_f32) return bad("gemm: a b1 output takes an s32 bias");
  if (d.accumulate || d.residual != Type::none || d.activation != Activation::none)
    return bad("gemm: a b1 output takes no accumulate, residual or activation");
  if (d.at_most)
    for (std::int64_t j = 0; j < n; ++j)
      if (d.at_most[j] > 1) return bad("gemm: an at_most is neither 0 nor 1");
  return {};
}

/// `quantized`: a is float, and not to become bits.
Status check_c(const GemmDesc& d, std::int64_t n, bool quantized) {
  if (d.c == Type::b1) return check_bits(d, n, quantized);
  const bool rounded = is_int8(d.c);
  if (d.c != Type::s32 && !is_float(d.c) && !rounded)
    return {Code::unsupported, "gemm: c must be s32, f32, bf16, f16, s8, u8 or b1"};
  if (d.bias_s32 && d.bias_f32) return bad("gemm: two biases");
  if (d.c == Type::s32 && d.bias_f32) return bad("gemm: an s32 output takes an s32 bias");
  if (d.accumulate && rounded) return bad("gemm: accumulate needs an s32, f32, bf16 or f16 output");
  if (d.residual != Type::none) {
    if (!is_float(d.residual) && !is_int8(d.residual)) return bad("gemm: residual must be f32, bf16, f16, s8 or u8");
    if (d.c == Type::s32) return bad("gemm: an s32 output takes no residual");
    if (is_int8(d.residual) && !std::isfinite(d.residual_scale)) return bad("gemm: residual_scale is not finite");
    if (is_int8(d.residual) && !in_range(d.residual_zero_point, d.residual))
      return bad("gemm: residual_zero_point is outside the range of the residual's type");
  }
  switch (d.activation) {
    case Activation::none:
    case Activation::relu:
    case Activation::gelu:
    case Activation::silu:
      break;
    case Activation::clamp:
      if (!(d.lo <= d.hi)) return bad("gemm: clamp needs lo <= hi");
      break;
    case Activation::leaky_relu:
      if (!std::isfinite(d.slope)) return bad("gemm: slope is not finite");
      break;
    default:
      return bad("gemm: unknown activation");
  }
  if (d.c == Type::s32 && d.activation != Activation::none) return bad("gemm: an s32 output takes no activation");
  if (rounded) {
    if (!(d.c_scale > 0) || !std::isfinite(d.c_scale) || !std::isfinite(1.0f / d.c_scale))
      return bad("gemm: c_scale (and its inverse) must be positive and finite");
    if (!in_range(d.c_zero_point, d.c)) return bad("gemm: c_zero_point is outside the range of c's type");
  }
  if (d.requantize == Requantize::fixed_point) return check_fixed_point(d, n, quantized);
  return d.requantize == Requantize::float_multiplier ? Status{} : bad("gemm: unknown requantization");
}

/// The largest |a - zero_point| of any value.
std::int64_t a_reach(const GemmDesc& d, bool bits) {
  if (bits) return 1;
  if (is_float(d.a)) return d.dynamic == Dynamic::symmetric ? 127 : 255;
  if (d.a_zero_point_per == Per::row) return 255;
  return d.a == Type::u8 ? std::max(d.a_zero_point, 255 - d.a_zero_point)
                         : std::max(128 + d.a_zero_point, 127 - d.a_zero_point);
}

Status check_overflow(const GemmDesc& d, const Weights& w, bool bits) {
  const std::int64_t bound = WeightsAccess::header(w).sum_bound * a_reach(d, bits);
  if (bound > std::numeric_limits<std::int32_t>::max())
    return {Code::overflow, "gemm: k is so long that a sum could leave int32 (see max_k)"};
  std::int64_t bias = 0;
  if (d.bias_s32)
    for (std::int64_t j = 0; j < w.n(); ++j) bias = std::max(bias, std::abs(static_cast<std::int64_t>(d.bias_s32[j])));
  if (bound + bias > std::numeric_limits<std::int32_t>::max())
    return {Code::overflow, "gemm: sum and bias_s32 together could leave int32"};
  return {};
}

EpilogueSpec epilogue_spec(const GemmDesc& d, Type packed_a, std::int64_t k, bool grouped) {
  // Dynamic symmetric quantization has the zero point 0 of s8 in every row; asymmetric rows have their own.
  const bool bits = packed_a == Type::b1, dynamic = is_float(d.a) && !bits;
  const Type as_if = dynamic ? Type::s8 : d.a;
  return {.c = d.c,
          .activation = d.activation,
          .accumulate = d.accumulate,
          .residual = d.residual,
          .requantize = d.requantize,
          .row_scale = d.a_scale_per != Per::group && (dynamic || d.a_scale_per == Per::row),
          .a_scale = d.a_scale_per == Per::group ? 1.0f : d.a_scale,
          .row_zero_point = dynamic ? d.dynamic == Dynamic::asymmetric : d.a_zero_point_per == Per::row,
          .a_zero_point = (dynamic ? 0 : d.a_zero_point) + a_offset(as_if, packed_a),
          .offset = bits ? static_cast<std::int32_t>(k) : 0,
          .float_sums = grouped,
          .slope = d.slope,
          .lo = d.lo,
          .hi = d.hi,
          .residual_scale = d.residual_scale,
          .residual_zero_point = d.residual_zero_point,
          .c_inverse = 1.0f / d.c_scale,
          .c_zero_point = d.c_zero_point};
}

bool verbose() {
  const char* text = std::getenv("NARROW_VERBOSE");
  return text && std::strcmp(text, "1") == 0;
}

Status check_output(const GemmDesc& d, std::int64_t n, const Product& p, const GemmArgs& item) {
  if (!item.c) return bad("gemm: c is null");
  if (item.c_stride < elements_of(d.c, n)) return bad("gemm: c_stride is shorter than a row");
  if (d.residual != Type::none) {
    if (!item.residual) return bad("gemm: residual is null");
    if (item.residual_stride < n) return bad("gemm: residual_stride is shorter than a row");
  }
  if (is_float(d.a) && p.kernel->sums != Sums::bits) return {};
  if (d.a_scale_per != Per::tensor) {
    const std::int64_t count = item.m * (d.a_scale_per == Per::group ? p.groups.count : 1);
    if (!item.a_scale) return bad("gemm: a_scale is null");
    for (std::int64_t i = 0; i < count; ++i)
      if (!std::isfinite(item.a_scale[i])) return bad("gemm: an a_scale is not finite");
  }
  return {};
}

Status check(const GemmDesc& d, std::int64_t n, const Product& p, const GemmArgs& item) {
  if (item.m < 0) return bad("gemm: negative m");
  if (item.m == 0 || n == 0) return {};
  if (!item.a && p.k > 0) return bad("gemm: a is null");
  if (item.a_stride < p.k) return bad("gemm: a_stride is shorter than a row");
  if (d.a == Type::b1 && !padding_is_zero(item.a, item.a_stride, item.m, p.real_k)) return bad("gemm: a bit of a beyond k is not 0");
  if (Status s = check_output(d, n, p, item); !s.ok()) return s;
  if (!is_float(d.a) && d.a_zero_point_per == Per::row) {
    if (!item.a_zero_point) return bad("gemm: a_zero_point is null");
    for (std::int64_t i = 0; i < item.m; ++i)
      if (!in_range(item.a_zero_point[i], d.a)) return bad("gemm: an a_zero_point is outside the range of a's type");
  }
  return {};
}

}  // namespace

const Product& GemmAccess::product(const Gemm& gemm) { return *std::launder(reinterpret_cast<const Product*>(gemm.state_)); }
Product& GemmAccess::product(Gemm& gemm) { return *std::launder(reinterpret_cast<Product*>(gemm.state_)); }

Status GemmAccess::check_output(const Gemm& gemm, const GemmArgs& item) {
  return narrow::check_output(gemm.desc_, gemm.weights_.n(), product(gemm), item);
}

Status GemmAccess::plan(const GemmDesc& d, const Weights& w, const Kernel& kernel, Gemm* out) {
  static_assert(sizeof(Product) <= sizeof(Gemm::state_) && alignof(Product) <= 8);
  const bool bits = kernel.sums == Sums::bits;
  if (Status s = check_a(d, bits); !s.ok()) return s;
  if (bits)
    if (Status s = check_thresholds(d.a_threshold, d.a_threshold_per, w.k()); !s.ok()) return s;
  if (Status s = check_c(d, w.n(), is_float(d.a) && !bits); !s.ok()) return s;
  const BlobHeader& h = WeightsAccess::header(w);
  const bool grouped = h.group_size != 0;
  if (Status s = check_groups(d, grouped); !s.ok()) return s;
  if (Status s = check_overflow(d, w, bits); !s.ok()) return s;

  if (d.c == Type::b1 && kernel.geometry.nr % 8 != 0)
    return {Code::unsupported, "gemm: this kernel's panels are no whole bytes of a b1 output"};
  const BlobSections sections = WeightsAccess::sections(w);
  const char* blob = static_cast<const char*>(w.blob());
  const Geometry& g = kernel.geometry;
  out->desc_ = d;
  out->weights_ = w;
  Product& p = *new (out->state_) Product{};
  p.kernel = &kernel;
  p.spec = epilogue_spec(d, g.a, w.k(), grouped);
  p.epilogue = kernel.epilogue(p.spec);
  p.columns = {.sum = reinterpret_cast<const std::int32_t*>(blob + sections.sums),
               .scale = reinterpret_cast<const float*>(blob + sections.scales),
               .scale_stride = static_cast<Per>(h.scale_per) == Per::column,
               .zero_point = h.has_zero_point ? reinterpret_cast<const std::int32_t*>(blob + sections.zero_points) : nullptr,
               .zero_point_stride = static_cast<Per>(h.zero_point_per) == Per::column,
               .bias_s32 = d.bias_s32,
               .bias_f32 = d.bias_f32,
               .multiplier = d.multiplier,
               .shift = d.shift,
               .multiplier_stride = d.multiplier_per == Per::column,
               .threshold = d.threshold,
               .at_most = d.at_most};
  p.panels = blob + sections.panels;
  p.panel_stride = static_cast<std::ptrdiff_t>(h.panel_stride);
  p.real_k = w.k();
  p.k = elements_of(d.a, w.k());
  p.n = w.n();
  if (grouped) {
    p.groups = groups_of(WeightsAccess::groups(h), w.type(), g, w.k());
    p.groups.row_scales = d.a_scale_per == Per::group;
  }
  complete(&p);
  p.a = d.a;
  p.dynamic = d.dynamic;
  p.row_sums = h.has_zero_point;
  p.direct = d.c == Type::s32 && !d.accumulate && !p.spec.row_zero_point && !p.row_sums;
  p.ragged = p.k != p.k_padded;
  p.threshold = d.a_threshold;
  p.threshold_stride = d.a_threshold_per == Per::column;
  // What lies behind the end of a row meets zeros of B, but where that is bits.
  p.must_pack = d.a != g.a || g.row_group > 1 || p.row_sums || grouped || (p.ragged && w.type() == Type::b1);
  p.verbose = verbose();
  return {};
}

Status Gemm::plan(const GemmDesc& desc, const Weights& weights, Gemm* out) noexcept {
  if (!out) return bad("gemm: null pointer");
  if (!weights.blob()) return bad("gemm: the weights are empty (neither packed nor opened)");
  Tier limit;
  if (Status s = resolve(desc.cap, &limit); !s.ok()) return s;
  const BlobHeader& h = WeightsAccess::header(weights);
  const Kernel* kernel = find_kernel(weights.tier(), packed_type(weights.type()), sums_of(h), h.layout);
  if (!kernel || !admits(limit, weights.tier()) || !runs(*kernel))
    return {Code::bad_weights,
            "gemm: the weights are packed for a tier that this machine or build lacks, or that the cap excludes"};
  return GemmAccess::plan(desc, weights, *kernel, out);
}

std::size_t Gemm::scratch_size(std::int64_t m, int threads) const noexcept {
  const Product& p = GemmAccess::product(*this);
  return p.kernel ? scratch_bytes(p, blocking(p, m, threads), m) : 0;
}

Status Gemm::run_batch(const GemmArgs* items, int count, void* scratch, std::size_t bytes,
                       const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(*this);
  if (!p.kernel) return bad("gemm: run before plan");
  if (count < 0) return bad("gemm: negative count");
  if (count > 0 && !items) return bad("gemm: items is null");
  std::int64_t largest = 0, total = 0;
  for (int i = 0; i < count; ++i) {
    if (Status s = check(desc_, weights_.n(), p, items[i]); !s.ok()) return s;
    largest = std::max(largest, items[i].m);
    total += items[i].m;
  }
  const Blocking b = blocking(p, largest, parallel.for_each ? parallel.threads : 1);
  const std::size_t needed = scratch_bytes(p, b, largest);
  if (bytes < needed) return scratch_too_small;
  if (needed > 0 && !scratch) return bad("gemm: scratch is null");
  if (!p.verbose) {
    multiply(p, b, items, count, scratch, bytes, parallel);
    return {};
  }
  const auto begin = std::chrono::steady_clock::now();
  multiply(p, b, items, count, scratch, bytes, parallel);
  const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "narrow,gemm,%lldx%lldx%lld,items:%d,%s:%s:%s,%s,threads:%d,%.3f us\n", static_cast<long long>(total),
               static_cast<long long>(p.n), static_cast<long long>(weights_.k()), count, name(p.a), name(weights_.type()),
               name(p.spec.c), p.kernel->name, parallel.threads, elapsed.count());
  return {};
}

Status Gemm::run(const GemmArgs& args, void* scratch, std::size_t bytes, const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(*this);
  if (p.kernel && !p.verbose && !parallel.for_each && is_whole(p, args)) {
    if (Status s = check(desc_, weights_.n(), p, args); !s.ok()) return s;
    const std::size_t needed = whole_scratch_bytes(p, args.m);
    if (bytes < needed) return scratch_too_small;
    if (needed > 0 && !scratch) return bad("gemm: scratch is null");
    multiply_whole(p, args, scratch);
    return {};
  }
  return run_batch(&args, 1, scratch, bytes, parallel);
}

Status Gemm::run(const GemmArgs& args, const Parallel& parallel) const noexcept {
  const std::size_t bytes = scratch_size(args.m, parallel.threads);
  if (bytes == 0) return run(args, nullptr, 0, parallel);
  void* scratch = std::malloc(bytes);
  if (!scratch) return {Code::out_of_memory, "gemm: no memory for scratch"};
  const Status status = run(args, scratch, bytes, parallel);
  std::free(scratch);
  return status;
}

Status Gemm::run_strided(const GemmArgs& first, int count, std::int64_t a_batch_stride, std::int64_t c_batch_stride,
                         std::int64_t residual_batch_stride, void* scratch, std::size_t bytes,
                         const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(*this);
  // Item by item through a window on the stack: no allocation, and no limit on the count.
  constexpr int window = 32;
  GemmArgs items[window];
  if (count < 0) return bad("gemm: negative count");
  for (int begin = 0; begin < count; begin += window) {
    const int filled = std::min(window, count - begin);
    for (int i = 0; i < filled; ++i) {
      const std::int64_t at = begin + i;
      auto moved = [&](const void* base, std::int64_t stride, Type t) {
        return base ? static_cast<const char*>(base) + at * stride * static_cast<std::int64_t>(size_of(t)) : nullptr;
      };
      items[i] = first;
      items[i].a = moved(first.a, a_batch_stride, p.a);
      items[i].c = const_cast<char*>(moved(first.c, c_batch_stride, p.spec.c));
      items[i].residual = moved(first.residual, residual_batch_stride, p.spec.residual);
      if (first.a_scale) items[i].a_scale = first.a_scale + at * first.m * std::max<std::ptrdiff_t>(1, p.groups.row_scales * p.groups.count);
      if (first.a_zero_point) items[i].a_zero_point = first.a_zero_point + at * first.m;
    }
    if (Status s = run_batch(items, filled, scratch, bytes, parallel); !s.ok()) return s;
  }
  return {};
}

GemmInfo Gemm::info() const noexcept {
  if (!GemmAccess::product(*this).kernel) return {"", Tier::generic, "not planned"};
  const Kernel& kernel = *GemmAccess::product(*this).kernel;
  GemmInfo info{kernel.name, kernel.tier, ""};
  Tier limit;
  if (machine_tier() == kernel.tier) return info;
  const Kernel *best, *allowed;
  if (find_kernel(Cap(machine_tier()), kernel.b, kernel.sums, &best).ok() && best->tier == kernel.tier)
    info.why_not_better = "the better tiers of this machine have no kernel of their own for these types";
  else if (resolve(desc_.cap, &limit).ok() && find_kernel(Cap(limit), kernel.b, kernel.sums, &allowed).ok() &&
      allowed->tier != kernel.tier)
    info.why_not_better = "the weights are packed for this tier; pack them again for a better one";
  else
    info.why_not_better = "a cap (NARROW_ISA or GemmDesc::cap) excludes the better tiers of this machine";
  return info;
}

Status gemm(const GemmDesc& desc, const Weights& weights, const GemmArgs& args, void* scratch, std::size_t scratch_bytes,
            const Parallel& parallel) noexcept {
  Gemm plan;
  if (Status s = Gemm::plan(desc, weights, &plan); !s.ok()) return s;
  return plan.run(args, scratch, scratch_bytes, parallel);
}

}  // namespace narrow
