#include "onednn.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "buffer.h"
#include "onednn_versions.h"
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

/// Memory of ours.
struct Operand {
  Buffer buffer;
  dnnl::memory memory;

  Operand(const dnnl::memory::desc& desc, const dnnl::engine& engine)
      : buffer(desc.get_size()), memory(desc, engine, buffer.data()) {}
};
using SharedOperand = std::shared_ptr<const Operand>;

dnnl::engine engine() {
  static const dnnl::engine the_processor(dnnl::engine::kind::cpu, 0);
  return the_processor;
}

SharedOperand convert(const dnnl::memory::desc& from, const void* data, const dnnl::memory::desc& to) {
  auto operand = std::make_shared<Operand>(to, engine());
  dnnl::memory source(from, engine(), const_cast<void*>(data)), target = operand->memory;
  dnnl::stream stream(engine());
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return operand;
}

/// Ones, as floats or bytes.
SharedOperand ones(const dnnl::memory::desc& desc, bool floats) {
  auto operand = std::make_shared<Operand>(desc, engine());
  if (floats)
    std::fill_n(operand->buffer.as<float>(), desc.get_size() / sizeof(float), 1.0f);
  else
    std::memset(operand->buffer.data(), 1, desc.get_size());
  return operand;
}

}  // namespace

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  const std::string number = std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  return NARROW_ONEDNN_HAS_NIBBLES ? number : number + " (int4 without its s4 product, which came with 3.5)";
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

struct Primitive::State {
  dnnl::stream stream{engine()};
  dnnl::primitive primitive;
  std::unordered_map<int, SharedOperand> operands;
  std::string implementation;
  double macs = 0;
  bool runnable = false;

  // The output and the implementation of `described`; false where it would take too long to run.
  template <class Description>
  bool begin(const Description& described) {
    implementation = described.impl_info_str();
    if (is_reference(implementation) && macs > most_reference_macs) return false;
    primitive = dnnl::primitive(described);
    operands[DNNL_ARG_DST] = std::make_shared<Operand>(described.dst_desc(), engine());
    return true;
  }
};

Primitive::Primitive(double macs) : state_(std::make_unique<State>()) { state_->macs = macs; }
Primitive::~Primitive() = default;
Primitive::Primitive(Primitive&&) noexcept = default;

const std::string& Primitive::implementation() const { return state_->implementation; }
bool Primitive::runnable() const { return state_->runnable; }
const void* Primitive::c() const { return state_->operands.at(DNNL_ARG_DST)->buffer.data(); }

Contender Primitive::contender() const {
  // Through the C functions, as the C++ ones make an array of the arguments in every call.
  std::vector<dnnl_exec_arg_t> arguments;
  for (const auto& [index, operand] : state_->operands) arguments.push_back({index, operand->memory.get()});
  return bench::contender(
      state_->macs, [primitive = state_->primitive.get(), stream = state_->stream.get(), arguments = std::move(arguments)] {
        const int count = static_cast<int>(arguments.size());
        if (dnnl_primitive_execute(primitive, stream, count, arguments.data()) != dnnl_success ||
            dnnl_stream_wait(stream) != dnnl_success)
          throw std::runtime_error("oneDNN fails to run");
      });
}

struct Weights::State {
  std::int64_t n, k;
  const void* data;
  std::map<dnnl::memory::data_type, SharedOperand> latest;

  SharedOperand in(dnnl::memory::data_type type, const dnnl::memory::desc& layout) {
    SharedOperand& known = latest[type];
    if (known && known->memory.get_desc() == layout) return known;
    known.reset();  // before there is another
    known = convert({{k, n}, data_type(narrow::Type::s8), dnnl::memory::format_tag::ba}, data, layout);
    return known;
  }
};

Weights::Weights(std::int64_t n, std::int64_t k, const void* data) : state_(new State{n, k, data, {}}) {}
Weights::~Weights() = default;

Matmul::Matmul(narrow::Type a, narrow::Type c, std::int64_t m, narrow::Type a_raw, const void* a_data, const Weights& b)
    : Primitive(static_cast<double>(m) * static_cast<double>(b.state_->n) * static_cast<double>(b.state_->k)) {
  using tag = dnnl::memory::format_tag;
  const std::int64_t n = b.state_->n, k = b.state_->k;
  State& s = *state_;
  try {
    const auto b_type = data_type(a == narrow::Type::f32 ? a : narrow::Type::s8);
    using desc = dnnl::memory::desc;
    const auto described = describe_onednn<dnnl::matmul>(engine(), desc({m, k}, data_type(a), tag::ab),
                                                         desc({k, n}, b_type, tag::any), desc({m, n}, data_type(c), tag::ab));
    if (!s.begin(described)) return;
    s.operands[DNNL_ARG_SRC] = convert({{m, k}, data_type(a_raw), tag::ab}, a_data, described.src_desc());
    s.operands[DNNL_ARG_WEIGHTS] = b.state_->in(b_type, described.weights_desc());
    s.runnable = true;
  } catch (const dnnl::error& error) {
    s.implementation = std::string("none: ") + error.what();
  }
}

NibbleMatmul::NibbleMatmul(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t group)
    : Primitive(static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k)) {
#if NARROW_ONEDNN_HAS_NIBBLES
  using tag = dnnl::memory::format_tag;
  using type = dnnl::memory::data_type;
  State& s = *state_;
  try {
    dnnl::primitive_attr attributes;
    attributes.set_fpmath_mode(dnnl::fpmath_mode::any, true);  // as fast as it can
    attributes.set_scales(DNNL_ARG_WEIGHTS, (1 << 0) + (1 << 1), {group, 1}, type::f32);
    const dnnl::matmul::primitive_desc described(engine(), {{m, k}, type::f32, tag::ab}, {{k, n}, type::s4, tag::any},
                                                 {{m, n}, type::f32, tag::ab}, attributes);
    if (!s.begin(described)) return;
    s.operands[DNNL_ARG_SRC] = ones(described.src_desc(), true);
    s.operands[DNNL_ARG_WEIGHTS] = ones(described.weights_desc(), false);
    s.operands[DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS] = ones({{k / group, n}, type::f32, tag::ab}, true);
    s.runnable = true;
  } catch (const dnnl::error& error) {
    s.implementation = std::string("none: ") + error.what();
  }
#else
  (void)group;
  state_->implementation = "none";
#endif
}

Convolution::Convolution(narrow::Type a, const ConvSizes& d, Algorithm algorithm) : Primitive(d.macs()) {
  using tag = dnnl::memory::format_tag;
  State& s = *state_;
  const bool floats = a == narrow::Type::f32;
  try {
    const dnnl::memory::desc src({d.n, d.c, d.h, d.w}, data_type(a), tag::any);
    const dnnl::memory::desc weights({d.k, d.c, d.r, d.s}, data_type(floats ? a : narrow::Type::s8), tag::any);
    const dnnl::memory::desc dst({d.n, d.k, d.out_h(), d.out_w()}, data_type(floats ? a : narrow::Type::s32), tag::any);
    const auto its_algorithm =
        algorithm == Algorithm::direct ? dnnl::algorithm::convolution_direct : dnnl::algorithm::convolution_winograd;
    const dnnl::memory::dims strides{d.stride, d.stride}, padding{d.pad, d.pad};
    const auto described = describe_onednn<dnnl::convolution_forward>(
        engine(), dnnl::prop_kind::forward_inference, its_algorithm, src, weights, dst, strides, padding, padding);
    if (!s.begin(described)) return;
    s.operands[DNNL_ARG_SRC] = ones(described.src_desc(), floats);
    s.operands[DNNL_ARG_WEIGHTS] = ones(described.weights_desc(), floats);
    s.runnable = true;
  } catch (const dnnl::error& error) {
    s.implementation = std::string("none: ") + error.what();
  }
}

}  // namespace bench::onednn
