// The public product: checks, and what a plan resolves once for all its runs.
#include "narrow/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <optional>

#include "src/bits.h"
#include "src/cpu.h"
#include "src/default_floats.h"
#include "src/driver.h"
#include "src/environment.h"
#include "src/gemm.h"
#include "src/registry.h"
#include "src/report.h"
#include "src/status.h"
#include "src/weights.h"

namespace narrow {
namespace {

constexpr Status scratch_too_small{Code::scratch_too_small, "gemm: the scratch buffer is smaller than scratch_size says"};
/// relu and clamp act on the integers of an 8-bit output: rounding is monotone, so clamping before or after it is the same.
void set_output_range(EpilogueSpec* spec) {
  const std::int32_t zero = spec->c_zero_point;
  const std::int32_t least = spec->c == Type::s8 ? -128 : 0, greatest = spec->c == Type::s8 ? 127 : 255;
  const auto quantized = [&](float bound) {
    const float scaled = std::clamp(bound * spec->c_inverse, -512.0f, 512.0f);
    return std::clamp(static_cast<std::int32_t>(std::lrint(scaled)) + zero, least, greatest);
  };
  spec->c_lo = spec->activation == Activation::relu    ? zero
               : spec->activation == Activation::clamp ? quantized(spec->lo)
                                                       : least;
  spec->c_hi = spec->activation == Activation::clamp ? quantized(spec->hi) : greatest;
}

EpilogueSpec epilogue_spec(const GemmDesc& d, Type packed_a, std::int64_t k, bool grouped) {
  // Dynamic symmetric quantization has the zero point 0 of s8 in every row; asymmetric rows have their own.
  const bool bits = packed_a == Type::b1, dynamic = is_float(d.a) && !bits;
  const Type as_if = dynamic ? Type::s8 : d.a;
  EpilogueSpec spec{.c = d.c,
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
                    .c_zero_point = d.c_zero_point,
                    .c_lo = 0,
                    .c_hi = 0};
  if (is_8bit(d.c)) set_output_range(&spec);
  return spec;
}

/// Values of GemmArgs::a_scale that a row has.
std::ptrdiff_t scales_of_row(const Product& p) { return std::max<std::ptrdiff_t>(1, p.groups.row_scales * p.groups.count); }

/// `m` rows of an item, from a row on.
GemmArgs rows_of(const GemmArgs& all, const Product& p, std::int64_t row, std::int64_t m) {
  const auto moved = [&](const void* base, std::int64_t stride, Type t) {
    return base ? static_cast<const char*>(base) + bytes_of(t, row * stride) : nullptr;
  };
  GemmArgs item = all;
  item.m = m;
  item.a = moved(all.a, all.a_stride, p.a);
  item.c = const_cast<char*>(moved(all.c, all.c_stride, p.spec.c));
  item.residual = moved(all.residual, all.residual_stride, p.spec.residual);
  if (all.a_scale) item.a_scale = all.a_scale + row * scales_of_row(p);
  if (all.a_zero_point) item.a_zero_point = all.a_zero_point + row;
  return item;
}

}  // namespace

const Product& GemmAccess::product(const Gemm& gemm) { return *std::launder(reinterpret_cast<const Product*>(gemm.state_)); }

Product& GemmAccess::product(Gemm& gemm) { return *std::launder(reinterpret_cast<Product*>(gemm.state_)); }

Status GemmAccess::check_output(const Gemm& gemm, const GemmArgs& item) {
  return narrow::check_output(gemm.desc_, gemm.weights_.n(), product(gemm), item);
}

Status GemmAccess::check_batch(const Gemm& gemm, const GemmArgs* items, int count, const void* scratch, std::size_t bytes,
                               const Parallel& parallel, Blocking* blocking) {
  const Product& p = product(gemm);
  std::int64_t largest = 0;
  for (int i = 0; i < count; ++i) {
    if (Status s = check_item(gemm.desc_, gemm.weights_.n(), p, items[i]); !s.ok()) return s;
    largest = std::max(largest, items[i].m);
  }
  *blocking = narrow::blocking(p, largest, parallel.for_each ? parallel.threads : 1);
  const std::size_t needed = scratch_bytes(p, *blocking, largest);
  if (bytes < needed) return scratch_too_small;
  return needed > 0 && !scratch ? invalid("gemm: scratch is null") : Status{};
}

Status GemmAccess::plan(const GemmDesc& d, const Weights& w, const Kernel& kernel, Gemm* out) {
  static_assert(sizeof(Product) <= sizeof(Gemm::state_) && alignof(Product) <= 8);
  if (Status s = check_plan(d, w, kernel); !s.ok()) return s;
  const BlobHeader& h = WeightsAccess::header(w);
  const bool grouped = h.group_size != 0;
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
  if (h.permuted) p.permutation = reinterpret_cast<const std::int32_t*>(blob + sections.permutation);
  p.panel_stride = static_cast<std::ptrdiff_t>(h.panel_stride);
  p.real_k = w.k();
  p.k = elements_of(d.a, w.k());
  p.n = w.n();
  if (grouped) {
    p.groups = groups_of(group_format(h), w.type(), g, w.k());
    p.groups.row_scales = d.a_scale_per == Per::group;
  }
  p.a = d.a;
  p.dynamic = d.dynamic;
  p.row_sums = h.has_zero_point;
  p.threshold = d.a_threshold;
  p.threshold_stride = d.a_threshold && d.a_threshold_per == Per::column;
  p.flips = kernel.to_sums.flipped && d.a != g.a && is_8bit(d.a) && !p.row_sums && !p.spec.row_zero_point && !grouped;
  complete(&p);
  p.ragged = p.k != p.k_padded;
  // What lies behind the end of a row meets zeros of B, but where that is bits.
  p.must_pack =
      (d.a != g.a && !p.flips) || g.row_group > 1 || p.row_sums || grouped || g.running || (p.ragged && w.type() == Type::b1);
  p.verbose = environment().verbose;
  return {};
}

Status Gemm::plan(const GemmDesc& desc, const Weights& weights, Gemm* out) noexcept {
  if (!out) return invalid("gemm: null pointer");
  if (!weights.blob()) return invalid("gemm: the weights are empty (neither packed nor opened)");
  if (const BlobHeader& h = WeightsAccess::header(weights); filter_groups(h) > 1 || h.filter_c != 0)
    return invalid("gemm: the weights are filters of a convolution");
  return GemmAccess::plan(desc, weights, out);
}

Status GemmAccess::plan(const GemmDesc& desc, const Weights& weights, Gemm* out) {
  const DefaultFloats floats;
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
  return p.kernel ? scratch_up_to(p, std::min(m, m_limit), threads) : 0;
}

Status Gemm::run_batch(const GemmArgs* items, int count, void* scratch, std::size_t bytes,
                       const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(*this);
  if (!p.kernel) return invalid("gemm: run before plan");
  if (count < 0) return invalid("gemm: negative count");
  if (count > 0 && !items) return invalid("gemm: items is null");
  Blocking b;
  if (Status s = GemmAccess::check_batch(*this, items, count, scratch, bytes, parallel, &b); !s.ok()) return s;
  std::int64_t total = 0;  // of int items of up to m_limit rows
  for (int i = 0; i < count; ++i) total += items[i].m;
  const Report report(p, "gemm", total, p.n, count, weights_.type(), parallel.threads);
  multiply({&p}, b, items, count, scratch, bytes, parallel);
  return {};
}

Status Gemm::run(const GemmArgs& args, void* scratch, std::size_t bytes, const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(*this);
  if (p.kernel && !p.verbose && is_whole(p, args, parallel)) {
    if (Status s = check_item(desc_, weights_.n(), p, args); !s.ok()) return s;
    const std::size_t needed = whole_scratch_bytes(p, args.m);
    if (bytes < needed) return scratch_too_small;
    if (needed > 0 && !scratch) return invalid("gemm: scratch is null");
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
  if (!p.kernel) return invalid("gemm: run before plan");
  if (count < 0) return invalid("gemm: negative count");
  if (is_4bit(p.a) && a_batch_stride % 2 != 0) return invalid("gemm: an odd a_batch_stride of 4-bit values");
  if (count > 0)
    if (Status s = check_item(desc_, weights_.n(), p, first); !s.ok()) return s;
  if (out_of_reach(count * first.m, scales_of_row(p)) || out_of_reach(count, a_batch_stride) ||
      out_of_reach(count, c_batch_stride) || (first.residual && out_of_reach(count, residual_batch_stride)))
    return invalid(too_far);
  std::optional<Report> report;
  for (int begin = 0; begin < count; begin += window) {
    const int filled = std::min(window, count - begin);
    for (int i = 0; i < filled; ++i) {
      const std::int64_t at = begin + i;
      auto moved = [&](const void* base, std::int64_t stride, Type t) {
        return base ? static_cast<const char*>(base) + bytes_of(t, at * stride) : nullptr;
      };
      items[i] = first;
      items[i].a = moved(first.a, a_batch_stride, p.a);
      items[i].c = const_cast<char*>(moved(first.c, c_batch_stride, p.spec.c));
      items[i].residual = moved(first.residual, residual_batch_stride, p.spec.residual);
      if (first.a_scale) items[i].a_scale = first.a_scale + at * first.m * scales_of_row(p);
      if (first.a_zero_point) items[i].a_zero_point = first.a_zero_point + at * first.m;
    }
    Blocking b;
    if (Status s = GemmAccess::check_batch(*this, items, filled, scratch, bytes, parallel, &b); !s.ok()) return s;
    if (!report) report.emplace(p, "gemm", count * first.m, p.n, count, weights_.type(), parallel.threads);
    multiply({&p}, b, items, filled, scratch, bytes, parallel);
  }
  return {};
}

std::size_t Gemm::grouped_scratch_size(const Gemm* plans, int count, std::int64_t m, int threads) noexcept {
  if (count <= 0 || !plans || !GemmAccess::product(*plans).kernel) return 0;
  const Product& p = GemmAccess::product(*plans);
  return 2 * Gemm::scratch_alignment + sizeof(GemmArgs) * static_cast<std::size_t>(count) +
         bytes_for_any_rows(p, std::min(m, m_limit), threads);
}

Status Gemm::run_grouped(const Gemm* plans, int count, const std::int64_t* offsets, const GemmArgs& all, void* scratch,
                         std::size_t bytes, const Parallel& parallel) noexcept {
  if (count < 0) return invalid("gemm: negative count");
  if (count == 0) return {};
  if (!plans || !offsets) return invalid("gemm: plans or offsets are null");
  const Product& p = GemmAccess::product(*plans);
  if (!p.kernel) return invalid("gemm: run before plan");
  for (int i = 0; i < count; ++i) {
    const Product& other = GemmAccess::product(plans[i]);
    if (!other.kernel) return invalid("gemm: run before plan");
    if (!alike(p, other)) return invalid("gemm: plans of one call differ in more than their weights");
    if (offsets[i] < 0 || offsets[i] > offsets[i + 1]) return invalid("gemm: offsets are not ascending from 0");
  }
  if (all.m > m_limit) return invalid("gemm: m above 2^31 - 1");
  if (offsets[count] > all.m) return invalid("gemm: offsets beyond m");
  if (out_of_reach(all.m, all.a_stride) || out_of_reach(all.m, all.c_stride) ||
      (all.residual && out_of_reach(all.m, all.residual_stride)))
    return invalid(too_far);
  const int threads = parallel.for_each ? parallel.threads : 1;
  if (bytes < grouped_scratch_size(plans, count, offsets[count] - offsets[0], threads)) return scratch_too_small;
  if (!scratch) return invalid("gemm: scratch is null");

  // The items come first in scratch, then what their products need.
  char* const end = static_cast<char*>(scratch) + bytes;
  auto* items = reinterpret_cast<GemmArgs*>((reinterpret_cast<std::uintptr_t>(scratch) + alignof(GemmArgs) - 1) /
                                            alignof(GemmArgs) * alignof(GemmArgs));
  std::int64_t largest = 0;
  for (int i = 0; i < count; ++i) {
    const GemmArgs item = rows_of(all, p, offsets[i], offsets[i + 1] - offsets[i]);
    new (items + i) GemmArgs(item);
    if (Status s = check_item(plans[i].desc_, plans[i].weights_.n(), p, item); !s.ok()) return s;
    largest = std::max(largest, item.m);
  }
  char* const rest = reinterpret_cast<char*>(items + count);
  const Report report(p, "grouped", offsets[count] - offsets[0], p.n, count, plans->weights_.type(), parallel.threads);
  multiply({&p, sizeof(Gemm)}, blocking(p, largest, threads), items, count, rest, static_cast<std::size_t>(end - rest),
           parallel);
  return {};
}

GemmInfo Gemm::info() const noexcept {
  if (!GemmAccess::product(*this).kernel) return {"", Tier::generic, "not planned"};
  const Kernel& kernel = *GemmAccess::product(*this).kernel;
  GemmInfo info{kernel.name, kernel.tier, ""};
  Tier limit;
  if (machine_tier() == kernel.tier) return info;
  const Kernel *best, *allowed;
  const auto find = [&](Tier cap, const Kernel** out) {
    return find_kernel(Cap(cap), kernel.b, kernel.sums, weights_.n(), weights_.k(), out).ok();
  };
  if (find(machine_tier(), &best) && best->tier == kernel.tier)
    info.why_not_better = "the better tiers of this machine have no kernel of their own for these types";
  else if (resolve(desc_.cap, &limit).ok() && find(limit, &allowed) && allowed->tier != kernel.tier)
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
