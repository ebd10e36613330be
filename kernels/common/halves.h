// Weights of 4 bits in whole columns: a step of eight k is two dots of four, for the low and the high nibbles, with sums as
// exact and as plain as int8's, so the tile and all that follows it are int8's own.
#pragma once

namespace narrow {
namespace {

/// The two halves of a step: of A, four values of a row each; of B, a nibble for each of them and column.
template <class Vector>
struct Halves {
  typename Vector::A low, high;
};

}  // namespace
}  // namespace narrow
