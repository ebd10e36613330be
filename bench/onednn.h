// oneDNN as the rival. Its headers stay in onednn.cpp, which builds against 2.6 and 3.x.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "measure.h"
#include "narrow/isa.h"
#include "narrow/types.h"

namespace bench::onednn {

/// "2.6.3", and what that one lacks.
std::string version();

/// Gives oneDNN the same threads and the same instruction-set cap as narrow; before its first use. Throws
/// std::runtime_error where it cannot be held to the number of threads.
void configure(int threads, narrow::Tier tier, bool capped);

/// One of oneDNN's primitives with its operands, ready to be run over and over.
class Primitive {
 public:
  ~Primitive();
  Primitive(Primitive&&) noexcept;

  const std::string& implementation() const;  ///< oneDNN's name for it, or why there is none.
  /// Nothing to run where there is no implementation, or where it is reference code and would take seconds.
  bool runnable() const;
  Contender contender() const;  ///< Work in MACs, padding counted.
  const void* c() const;        ///< The output.

 protected:
  struct State;
  explicit Primitive(double macs);
  std::unique_ptr<State> state_;
};

/// B[k,n], handed over as raw s8 [n,k], which must outlive it. Products rearrange it, before any timing, into the layout that
/// their implementation prefers; those that prefer the same one share it.
class Weights {
 public:
  Weights(std::int64_t n, std::int64_t k, const void* data);
  ~Weights();

 private:
  friend class Matmul;
  struct State;
  std::unique_ptr<State> state_;
};

/// C[m,n] = A[m,k] B[k,n] with raw row-major A and C.
class Matmul : public Primitive {
 public:
  /// a, c: u8 and s32, s8 and s32, or f32 and f32. A is raw u8 or s8 of type `a_raw`; for f32 both are converted.
  Matmul(narrow::Type a, narrow::Type c, std::int64_t m, narrow::Type a_raw, const void* a_data, const Weights& b);
};

/// C[m,n] = A[m,k] B[k,n] in f32 with B in nibbles, each `group` of k of a column with its scale, which oneDNN decompresses as
/// it goes. It can from version 3.5 on, where groups are whole. On operands of no matter what values (none slows it down), as
/// it has no conversion of nibbles into the layout that it prefers.
class NibbleMatmul : public Primitive {
 public:
  NibbleMatmul(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t group);
};

/// The sizes of a convolution, square in padding and stride.
struct ConvSizes {
  std::int64_t n, h, w, c, k, r, s, stride, pad;
  std::int64_t out_h() const { return (h + 2 * pad - r) / stride + 1; }
  std::int64_t out_w() const { return (w + 2 * pad - s) / stride + 1; }
  double macs() const {
    return static_cast<double>(n * out_h() * out_w()) * static_cast<double>(k) * static_cast<double>(r * s * c);
  }
};

/// How a convolution is computed. oneDNN left to choose takes the direct way, also where Winograd's is faster; some versions
/// and processors have no other.
enum class Algorithm { direct, winograd };

/// A convolution in the layouts that oneDNN prefers throughout, on operands of no matter what values (none slows it down).
class Convolution : public Primitive {
 public:
  /// u8 (with s8 weights and s32 output) or f32.
  Convolution(narrow::Type a, const ConvSizes& sizes, Algorithm algorithm = Algorithm::direct);
};

}  // namespace bench::onednn
