#include "onednn.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <dnnl.hpp>
#include <stdexcept>
#include <unordered_map>

#include "buffer.h"
#include "row.h"

namespace bench::onednn {
namespace {

constexpr double most_reference_macs = 1e8;  // about a second of reference code

dnnl::memory::data_type data_type(narrow::Type type) {
  switch (type) {
    case narrow::Type::u8:
      return dnnl::memory::data_type::u8;
    case narrow::Type::s8:
      return dnnl::memory::data_type::s8;
    case narrow::Type::s32:
      return dnnl::memory::data_type::s32;
    case narrow::Type::f32:
      return dnnl::memory::data_type::f32;
    default:
      throw std::runtime_error("no oneDNN type for this one");
  }
}

dnnl::cpu_isa isa(narrow::Tier tier) {
  switch (tier) {
    case narrow::Tier::generic:
      return dnnl::cpu_isa::sse41;
    case narrow::Tier::avx2:
      return dnnl::cpu_isa::avx2;
    case narrow::Tier::avxvnni:
      return dnnl::cpu_isa::avx2_vnni;
    case narrow::Tier::avx512:
      return dnnl::cpu_isa::avx512_core;
    case narrow::Tier::avx512vnni:
      return dnnl::cpu_isa::avx512_core_vnni;
    default:
      throw std::runtime_error("oneDNN cannot be capped on this processor: run without --isa and NARROW_ISA");
  }
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                                      const dnnl::memory::desc& c) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, c};
#else
  return {dnnl::matmul::desc(a, b, c), engine};
#endif
}

}  // namespace

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

void configure(int threads, narrow::Tier tier, bool capped) {
  // The number of threads is a setting of the runtime that oneDNN itself was built with, so it is looked up in the process
  // rather than linked: the benchmark's own compiler may bring another OpenMP.
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
  const auto set_threads = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (!set_threads) throw std::runtime_error("oneDNN uses OpenMP, but omp_set_num_threads is not to be found");
  set_threads(threads);
#elif DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_SEQ
  throw std::runtime_error("this oneDNN runs on neither OpenMP nor one thread: its threads cannot be set");
#else
  if (threads > 1) throw std::runtime_error("this oneDNN was built for one thread: use --threads 1");
#endif
  if (capped && dnnl::set_max_cpu_isa(isa(tier)) != dnnl::status::success)
    throw std::runtime_error("oneDNN refuses the instruction-set cap");
}

struct Matmul::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul primitive;
  std::unordered_map<int, dnnl::memory> arguments;
  Buffer a, b, c;
  std::string implementation;
  double macs = 0;
  bool runnable = false;

  // Memory of ours in the layout that oneDNN asked for, filled by its own conversion.
  dnnl::memory convert(const dnnl::memory::desc& from, const void* data, const dnnl::memory::desc& to, Buffer* buffer) {
    *buffer = Buffer(to.get_size());
    dnnl::memory source(from, engine, const_cast<void*>(data)), target(to, engine, buffer->data());
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
    return target;
  }
};

Matmul::Matmul(narrow::Type a, narrow::Type c, std::int64_t m, std::int64_t n, std::int64_t k, narrow::Type a_raw,
               const void* a_data, const void* b_data)
    : state_(std::make_unique<State>()) {
  using tag = dnnl::memory::format_tag;
  State& s = *state_;
  s.macs = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  try {
    const auto b_type = a == narrow::Type::f32 ? a : narrow::Type::s8;
    const auto described = describe(s.engine, {{m, k}, data_type(a), tag::ab}, {{k, n}, data_type(b_type), tag::any},
                                    {{m, n}, data_type(c), tag::ab});
    s.implementation = described.impl_info_str();
    if (is_reference(s.implementation) && s.macs > most_reference_macs) return;
    s.primitive = dnnl::matmul(described);
    s.c = Buffer(described.dst_desc().get_size());
    s.arguments = {
        {DNNL_ARG_SRC, s.convert({{m, k}, data_type(a_raw), tag::ab}, a_data, described.src_desc(), &s.a)},
        {DNNL_ARG_WEIGHTS, s.convert({{k, n}, data_type(narrow::Type::s8), tag::ba}, b_data, described.weights_desc(), &s.b)},
        {DNNL_ARG_DST, dnnl::memory(described.dst_desc(), s.engine, s.c.data())},
    };
    s.runnable = true;
  } catch (const dnnl::error& error) {
    s.implementation = std::string("none: ") + error.what();
  }
}
Matmul::~Matmul() = default;
Matmul::Matmul(Matmul&&) noexcept = default;

struct Convolution::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::convolution_forward primitive;
  std::unordered_map<int, dnnl::memory> arguments;
  Buffer a, b, c;
  std::string implementation;
  double macs = 0;
  bool runnable = false;

  // Ones, as floats or bytes.
  dnnl::memory operand(const dnnl::memory::desc& desc, bool floats, Buffer* buffer) {
    *buffer = Buffer(desc.get_size());
    if (floats)
      std::fill_n(buffer->as<float>(), desc.get_size() / sizeof(float), 1.0f);
    else
      std::memset(buffer->data(), 1, desc.get_size());
    return dnnl::memory(desc, engine, buffer->data());
  }
};

Convolution::Convolution(narrow::Type a, const ConvSizes& d) : state_(std::make_unique<State>()) {
  using tag = dnnl::memory::format_tag;
  State& s = *state_;
  s.macs = d.macs();
  const bool floats = a == narrow::Type::f32;
  try {
    const dnnl::memory::desc src({d.n, d.c, d.h, d.w}, data_type(a), tag::any);
    const dnnl::memory::desc weights({d.k, d.c, d.r, d.s}, data_type(floats ? a : narrow::Type::s8), tag::any);
    const dnnl::memory::desc dst({d.n, d.k, d.out_h(), d.out_w()}, data_type(floats ? a : narrow::Type::s32), tag::any);
    const dnnl::memory::dims strides{d.stride, d.stride}, padding{d.pad, d.pad};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::convolution_forward::primitive_desc described(s.engine, dnnl::prop_kind::forward_inference,
                                                              dnnl::algorithm::convolution_direct, src, weights, dst, strides,
                                                              padding, padding);
#else
    const dnnl::convolution_forward::primitive_desc described(
        dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src, weights,
                                        dst, strides, padding, padding),
        s.engine);
#endif
    s.implementation = described.impl_info_str();
    if (is_reference(s.implementation) && s.macs > most_reference_macs) return;
    s.primitive = dnnl::convolution_forward(described);
    s.c = Buffer(described.dst_desc().get_size());
    s.arguments = {{DNNL_ARG_SRC, s.operand(described.src_desc(), floats, &s.a)},
                   {DNNL_ARG_WEIGHTS, s.operand(described.weights_desc(), floats, &s.b)},
                   {DNNL_ARG_DST, dnnl::memory(described.dst_desc(), s.engine, s.c.data())}};
    s.runnable = true;
  } catch (const dnnl::error& error) {
    s.implementation = std::string("none: ") + error.what();
  }
}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;

const std::string& Convolution::implementation() const { return state_->implementation; }
bool Convolution::runnable() const { return state_->runnable; }
Contender Convolution::contender() const {
  return bench::contender(state_->macs, [s = state_.get()] {
    s->primitive.execute(s->stream, s->arguments);
    s->stream.wait();
  });
}

const std::string& Matmul::implementation() const { return state_->implementation; }
bool Matmul::runnable() const { return state_->runnable; }
const void* Matmul::c() const { return state_->c.data(); }

Contender Matmul::contender() const {
  return bench::contender(state_->macs, [s = state_.get()] {
    s->primitive.execute(s->stream, s->arguments);
    s->stream.wait();
  });
}

}  // namespace bench::onednn
