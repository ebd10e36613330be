#include "tests/problem.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace narrow::test {
namespace {

/// Leaves garbage where the library's frames are going to lie on the stack: what it forgets to write is then noticed.
[[gnu::noinline]] void dirty_stack() {
  unsigned char garbage[96 << 10];
  std::memset(garbage, 0xa5, sizeof garbage);
  asm volatile("" : : "r"(garbage) : "memory");
}

}  // namespace

void expect_damage_is_noticed(const Weights& weights) {
  Guarded copy(weights.bytes(), Weights::alignment);
  std::memcpy(copy.data(), weights.blob(), weights.bytes());
  Weights opened;
  for (std::size_t i = 0; i < copy.size(); i += 7) {
    copy.data()[i] ^= 0x10;
    EXPECT_EQ(Weights::open(copy.data(), copy.size(), &opened).code, Code::bad_weights) << "byte " << i;
    copy.data()[i] ^= 0x10;
  }
  EXPECT_TRUE(Weights::open(copy.data(), copy.size(), &opened).ok());
}

Status Problem::pack(Cap cap, Weights* out, const Parallel& parallel) {
  weights_.cap = cap;
  std::size_t bytes = 0;
  if (Status s = Weights::packed_size(weights_, &bytes); !s.ok()) return s;
  blob_ = Guarded(bytes, Weights::alignment);
  return packed(Weights::pack(weights_, blob_.data(), bytes, out, parallel));
}

Status Problem::pack(const Kernel& kernel, Weights* out, const Parallel& parallel) {
  std::size_t bytes = 0;
  if (Status s = WeightsAccess::packed_size(weights_, kernel, &bytes); !s.ok()) return s;
  blob_ = Guarded(bytes, Weights::alignment);
  return packed(WeightsAccess::pack(weights_, kernel, blob_.data(), bytes, out, parallel));
}

const std::vector<unsigned char>& Problem::expected() {
  if (expected_.empty() && c_.size() != 0) {
    reset_c();
    reference_gemm(desc_, weights_, args());
    expected_.assign(c_.data(), c_.data() + c_.size());
    reset_c();
  }
  return expected_;
}

bool Problem::trivial() {
  const std::size_t element = size_of(case_.c);
  expected();
  for (std::int64_t i = 0; i < case_.m; ++i)
    for (std::int64_t j = 0; j < elements_of(case_.c, case_.n); ++j)
      if (std::memcmp(&expected_[static_cast<std::size_t>(i * c_stride_ + j) * element], expected_.data(), element) != 0) return false;
  return true;
}

testing::AssertionResult Problem::check(const Gemm& plan, std::int64_t m, const Parallel& parallel) {
  expected();
  reset_c();
  Guarded scratch(plan.scratch_size(m, parallel.threads), Gemm::scratch_alignment, case_.edge);
  dirty_stack();
  if (Status s = plan.run(args(m), scratch.data(), scratch.size(), parallel); !s.ok())
    return failed("run", s);
  if (!scratch.margins_intact()) return testing::AssertionFailure() << "written around the scratch memory (" << case_ << ")";
  return compare(plan.info().kernel, m);
}

testing::AssertionResult Problem::check(Cap cap, const Parallel& parallel) {
  Gemm plan;
  if (testing::AssertionResult r = make_plan(cap, &plan, parallel); !r) return r;
  return check(plan, case_.m, parallel);
}

testing::AssertionResult Problem::check(const Kernel& kernel, const Parallel& parallel) {
  Gemm plan;
  if (testing::AssertionResult r = make_plan(kernel, &plan); !r) return r;
  return check(plan, case_.m, parallel);
}

testing::AssertionResult Problem::make_plan(Cap cap, Gemm* out, const Parallel& parallel) {
  Weights weights;
  if (Status s = pack(cap, &weights, parallel); !s.ok()) return failed("pack", s);
  desc_.cap = cap;
  if (Status s = Gemm::plan(desc_, weights, out); !s.ok()) return failed("plan", s);
  return testing::AssertionSuccess();
}

testing::AssertionResult Problem::make_plan(const Kernel& kernel, Gemm* out) {
  Weights weights;
  if (Status s = pack(kernel, &weights); !s.ok()) return failed("pack", s);
  if (Status s = GemmAccess::plan(desc_, weights, kernel, out); !s.ok()) return failed("plan", s);
  return testing::AssertionSuccess();
}

testing::AssertionResult Problem::compare(const char* kernel, std::int64_t m) {
  const std::size_t element = size_of(case_.c);
  expected();
  for (std::size_t at = 0; at < c_.size(); at += element) {
    const std::int64_t index = static_cast<std::int64_t>(at / element), i = index / c_stride_, j = index % c_stride_;
    const bool written = i >= case_.m - m && j < elements_of(case_.c, case_.n);
    const unsigned char* want = (written ? expected_.data() : initial_c_.data()) + at;
    if (std::memcmp(want, c_.data() + at, element) == 0 || (written && both_nan(want, c_.data() + at))) continue;
    return testing::AssertionFailure() << (written ? "" : "written outside: ") << "row " << i - (case_.m - m) << " of " << m
                                       << ", column " << j << ": got " << show(c_.data() + at) << ", expected " << show(want)
                                       << " by " << kernel << " (" << case_ << ")";
  }
  if (!c_.margins_intact()) return testing::AssertionFailure() << "written around C by " << kernel << " (" << case_ << ")";
  return testing::AssertionSuccess();
}

testing::AssertionResult Problem::failed(const char* what, Status s) const {
  return testing::AssertionFailure() << what << ": " << s.reason << " (" << case_ << ")";
}

Status Problem::packed(Status s) {
  if (s.ok()) blob_.make_read_only();
  return s;
}

bool Problem::both_nan(const unsigned char* x, const unsigned char* y) const {
  return is_float(case_.c) && std::isnan(load(x, case_.c, 0)) && std::isnan(load(y, case_.c, 0));
}

std::string Problem::show(const unsigned char* element) const {
  char text[64];
  std::int32_t s32;
  switch (case_.c) {
    case Type::s32:
      std::memcpy(&s32, element, sizeof s32);
      std::snprintf(text, sizeof text, "%d", s32);
      break;
    case Type::b1:
      std::snprintf(text, sizeof text, "%02x", *element);
      break;
    case Type::s8:
    case Type::u8:
      std::snprintf(text, sizeof text, "%d", static_cast<int>(load(element, case_.c, 0)));
      break;
    default: {
      const float x = load(element, case_.c, 0);
      std::snprintf(text, sizeof text, "%.9g (%08x)", static_cast<double>(x), to_bits(x));
    }
  }
  return text;
}

}  // namespace narrow::test
