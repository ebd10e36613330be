// Random values of a type that is known at run time only.
#pragma once

#include <algorithm>

#include "tests/guarded.h"
#include "tests/reference_float.h"
#include "tests/rng.h"

namespace narrow::test {

/// Floats between -most and most, or integers of any bits; read-only.
inline Guarded guarded_values(Rng& rng, Type type, std::int64_t count, double most, Edge edge = Edge::back) {
  const std::size_t size = size_of(type);
  Guarded values(static_cast<std::size_t>(count) * size, std::max<std::size_t>(1, size), edge);
  if (is_float(type))
    for (std::int64_t i = 0; i < count; ++i) store_float(values.data(), type, i, static_cast<float>(rng.real(-most, most)));
  else
    for (std::size_t i = 0; i < values.size(); ++i) values.data()[i] = static_cast<unsigned char>(rng.next());
  values.make_read_only();
  return values;
}

}  // namespace narrow::test
