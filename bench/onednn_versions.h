// What differs between oneDNN 2.6 and 3.x, for the benchmarks and for the tests.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

/// Whether oneDNN multiplies by weights in nibbles, with a scale for each group of k.
#define NARROW_ONEDNN_HAS_NIBBLES (DNNL_VERSION_MAJOR > 3 || (DNNL_VERSION_MAJOR == 3 && DNNL_VERSION_MINOR >= 5))

/// The primitive of such arguments: in 2.6 they make a description, in 3.x the primitive description itself.
template <class Primitive, class... Args>
typename Primitive::primitive_desc describe_onednn(const dnnl::engine& engine, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, args...);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), engine);
#endif
}
