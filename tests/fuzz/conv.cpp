// Convolutions of any description: refused with a reason, or the definition's bits.
#include <cstdio>

#include "tests/conv_problem.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace narrow;
  using namespace narrow::test;
  Input in(data, size);
  ConvCase c{};
  c.images = in.below(4);
  c.h = 1 + in.below(9), c.w = 1 + in.below(9);
  c.groups = in.flag() ? 1 : 1 + in.below(5);
  c.c = c.groups * (1 + in.below(70)), c.n = c.groups * in.below(40);
  c.kernel_h = 1 + in.below(4), c.kernel_w = 1 + in.below(4);
  c.stride_h = 1 + in.below(3), c.stride_w = 1 + in.below(3);
  c.dilation_h = 1 + in.below(3), c.dilation_w = 1 + in.below(3);
  if (in.flag()) c.top = in.below(4), c.left = in.below(4), c.bottom = in.below(4), c.right = in.below(4);
  c.gap = in.flag() ? 0 : in.below(9);
  const Type types[] = {Type::b1, Type::b1, Type::f32, Type::bf16, Type::f16, Type::u8, Type::s8};
  ConvOptions options{.padding = static_cast<Padding>(in.below(3)), .c = static_cast<Type>(in.below(12))};
  options.a = types[in.below(7)];
  options.operand = in.flag() ? Type::b1 : Type::s8;
  if (in.flag())
    options.pool = {1 + in.below(3), 1 + in.below(3), 1 + in.below(3), 1 + in.below(3),
                    in.below(2),     in.below(2),     in.below(2),     in.below(2)};

  options.accumulate = in.below(4) == 0;
  options.bias = static_cast<Bias>(in.below(3));
  options.row_scales = in.flag();
  options.residual = in.flag() ? Type::none : static_cast<Type>(in.below(8));
  options.activation = static_cast<Activation>(in.below(7));
  options.requantize = static_cast<Requantize>(in.below(4) == 0);
  options.edge = in.flag() ? Edge::front : Edge::back;
  options.a_threshold = static_cast<Given>(in.below(3));

  ConvProblem problem(c, options);
  // What the definition does not ask about: any values.
  ConvDesc& d = problem.desc();
  if (in.below(8) == 0) d.groups = in.integer();
  if (in.below(8) == 0) d.tap_sums = nullptr;
  if (in.below(8) == 0) d.padding = static_cast<Padding>(in.byte());
  const auto tier = static_cast<Tier>(in.below(tier_count));
  std::string difference;
  if (const Status s = problem.run(tier, in.parallel(), &difference); !s.ok()) return refused(s), 0;
  if (difference.empty()) return 0;
  std::fprintf(stderr, "%s\n", difference.c_str());
  std::abort();
}
