// oneDNN as an independent reference, and the place where it is not one: saturating kernels of the lower tiers.
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <unordered_map>

#include "bench/onednn_versions.h"
#include "tests/packed.h"
#include "tests/problem.h"
#include "tests/tiers.h"

namespace narrow::test {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

template <class T>
memory::data_type onednn_type() {
  using Data = memory::data_type;
  return std::is_same_v<T, float> ? Data::f32 : std::is_same_v<T, std::uint8_t> ? Data::u8 : std::is_same_v<T, std::int8_t> ? Data::s8 : Data::s32;
}

/// C[m,n] = A[m,k] * B[k,n] (dense, B as kn) by oneDNN, without scales; returns the implementation's name.
template <class A, class B, class C>
std::string onednn_matmul(const std::vector<A>& a, const std::vector<B>& b, std::vector<C>& c, std::int64_t m, std::int64_t n,
                          std::int64_t k) {
  const memory::desc a_md({m, k}, onednn_type<A>(), memory::format_tag::ab);
  const memory::desc b_md({k, n}, onednn_type<B>(), memory::format_tag::ab);
  const memory::desc c_md({m, n}, onednn_type<C>(), memory::format_tag::ab);
  const auto pd = describe_onednn<dnnl::matmul>(engine(), a_md, b_md, c_md);
  dnnl::stream stream(engine());
  dnnl::matmul(pd).execute(stream, {{DNNL_ARG_SRC, memory(a_md, engine(), const_cast<A*>(a.data()))},
                                    {DNNL_ARG_WEIGHTS, memory(b_md, engine(), const_cast<B*>(b.data()))},
                                    {DNNL_ARG_DST, memory(c_md, engine(), c.data())}});
  stream.wait();
  return pd.impl_info_str();
}

/// The same in f32 with B in nibbles (u4 [n,k], k even) and f32 scales and zero points for groups of k, as [k/group,n]; where
/// this version can.
bool onednn_int4_matmul(const std::vector<float>& a, const std::vector<std::uint8_t>& b, const std::vector<float>& scales,
                        const std::vector<std::uint8_t>& zero_points, std::int64_t group, std::vector<float>& c, std::int64_t m,
                        std::int64_t n, std::int64_t k) {
#if NARROW_ONEDNN_HAS_NIBBLES
  using Data = memory::data_type;
  using Tag = memory::format_tag;
  const memory::desc a_md({m, k}, Data::f32, Tag::ab), b_md({k, n}, Data::u4, Tag::ba), c_md({m, n}, Data::f32, Tag::ab);
  const memory::desc scale_md({k / group, n}, Data::f32, Tag::ab), zero_point_md({k / group, n}, Data::u8, Tag::ab);
  constexpr int by_group_and_column = (1 << 0) + (1 << 1);
  dnnl::primitive_attr attributes;
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict, true);
  attributes.set_scales(DNNL_ARG_WEIGHTS, by_group_and_column, {group, 1}, Data::f32);
  attributes.set_zero_points(DNNL_ARG_WEIGHTS, by_group_and_column, {group, 1}, Data::u8);
  const dnnl::matmul::primitive_desc pd(engine(), a_md, b_md, c_md, attributes, true);
  if (!pd) return false;  // some versions lack some sizes
  dnnl::stream stream(engine());
  dnnl::matmul(pd).execute(
      stream, {{DNNL_ARG_SRC, memory(a_md, engine(), const_cast<float*>(a.data()))},
               {DNNL_ARG_WEIGHTS, memory(b_md, engine(), const_cast<std::uint8_t*>(b.data()))},
               {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, memory(scale_md, engine(), const_cast<float*>(scales.data()))},
               {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_WEIGHTS,
                memory(zero_point_md, engine(), const_cast<std::uint8_t*>(zero_points.data()))},
               {DNNL_ARG_DST, memory(c_md, engine(), c.data())}});
  stream.wait();
  return true;
#else
  (void)a, (void)b, (void)scales, (void)zero_points, (void)group, (void)c, (void)m, (void)n, (void)k;
  return false;
#endif
}

/// By groups as narrow takes them, [n,k/group], -> as oneDNN does.
template <class T>
std::vector<T> transposed(const std::vector<T>& from, std::int64_t rows, std::int64_t columns) {
  std::vector<T> to(from.size());
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  return to;
}

template <class A, class C>
std::vector<C> narrow_matmul(Tier tier, const std::vector<A>& a, const std::vector<std::int8_t>& b, std::int64_t m, std::int64_t n,
                             std::int64_t k) {
  WeightsDesc w;
  w.k = k;
  w.n = n;
  w.order = Order::kn;
  w.data = b.data();
  w.cap = tier;
  const Packed p = packed(w);
  EXPECT_TRUE(p.status.ok()) << p.status.reason;
  GemmDesc d;
  d.a = std::is_same_v<A, std::uint8_t> ? Type::u8 : Type::s8;
  d.c = std::is_same_v<C, float> ? Type::f32 : Type::s32;
  d.cap = tier;
  Gemm plan;
  EXPECT_TRUE(Gemm::plan(d, p.weights, &plan).ok());
  std::vector<C> c(static_cast<std::size_t>(m * n));
  GemmArgs args;
  args.m = m;
  args.a = a.data();
  args.a_stride = k;
  args.c = c.data();
  args.c_stride = n;
  EXPECT_TRUE(plan.run(args).ok());
  return c;
}

template <class T>
std::vector<T> drawn(std::int64_t count, Fill fill, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& v : values) v = draw<T>(rng, fill);
  return values;
}

std::vector<std::int32_t> exact(const auto& a, const std::vector<std::int8_t>& b, std::int64_t m, std::int64_t n, std::int64_t k) {
  std::vector<std::int32_t> c(static_cast<std::size_t>(m * n));
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + p] * b[p * n + j];
  return c;
}

constexpr std::int64_t shapes[][3] = {{1, 16, 64}, {1, 100, 333}, {4, 64, 64}, {17, 33, 65}, {32, 32, 32}, {50, 129, 200}, {100, 100, 100}};

/// Where no kernel of this machine's oneDNN saturates (it does below VNNI), the two agree in every bit.
template <class A, class C>
void compare_all() {
  int compared = 0;
  for (const auto& [m, n, k] : shapes) {
    const std::vector<A> a = drawn<A>(m * k, Fill::random, 1);
    const std::vector<std::int8_t> b = drawn<std::int8_t>(k * n, Fill::random, 2);
    std::vector<C> reference(static_cast<std::size_t>(m * n));
    const std::string implementation = onednn_matmul(a, b, reference, m, n, k);
    const std::vector<std::int32_t> sums = exact(a, b, m, n, k);
    if (!std::equal(sums.begin(), sums.end(), reference.begin(), [](std::int32_t x, C y) { return static_cast<C>(x) == y; })) {
      std::printf("oneDNN (%s) is not exact here, %dx%dx%d left out\n", implementation.c_str(), int(m), int(n), int(k));
      continue;
    }
    ++compared;
    for (Tier tier : available_tiers())
      ASSERT_EQ((narrow_matmul<A, C>(tier, a, b, m, n, k)), reference)
          << name(tier) << ' ' << m << 'x' << n << 'x' << k << ", oneDNN " << implementation;
  }
  if (compared == 0) GTEST_SKIP() << "oneDNN saturates on this machine";
}

TEST(OneDnn, U8S8ToS32) { compare_all<std::uint8_t, std::int32_t>(); }
TEST(OneDnn, S8S8ToS32) { compare_all<std::int8_t, std::int32_t>(); }
TEST(OneDnn, U8S8ToF32) { compare_all<std::uint8_t, float>(); }
TEST(OneDnn, S8S8ToF32) { compare_all<std::int8_t, float>(); }

/// Weights of 4 bits with groups, decompressed, in oneDNN's f32 product, and, where it has such, in its product with u4: as
/// close as the order of its sums lets them come.
TEST(OneDnn, Int4AsF32) {
  int by_nibbles = 0;
  for (const auto& [m, n, k] : shapes)
    for (std::int64_t group : {0, 32, 128}) {
      const std::vector<std::int8_t> a = drawn<std::int8_t>(m * k, Fill::random, 5);
      const auto row_bytes = (k + 1) / 2;
      const std::vector<std::uint8_t> nibbles = drawn<std::uint8_t>(n * row_bytes, Fill::random, 6);
      const std::int64_t size = group != 0 ? group : k, count = (k + size - 1) / size;
      Rng rng(7);
      std::vector<float> scale(static_cast<std::size_t>(n * count));
      std::vector<std::uint8_t> zero_point(scale.size());
      for (float& s : scale) s = static_cast<float>(rng.real(0.001, 0.02));
      for (std::uint8_t& z : zero_point) z = static_cast<std::uint8_t>(rng.between(0, 15));
      const std::vector<std::int32_t> column_zero(zero_point.begin(), zero_point.end());

      std::vector<float> a_f32(a.begin(), a.end()), b(static_cast<std::size_t>(k * n)), magnitude(static_cast<std::size_t>(m * n));
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t p = 0; p < k; ++p) {
          const int q = nibbles[j * row_bytes + p / 2] >> p % 2 * 4 & 15;
          b[p * n + j] = scale[j * count + p / size] * static_cast<float>(q - zero_point[j * count + p / size]);
        }
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t p = 0; p < k; ++p)
          for (std::int64_t j = 0; j < n; ++j) magnitude[i * n + j] += std::fabs(a_f32[i * k + p] * b[p * n + j]);
      std::vector<float> reference(static_cast<std::size_t>(m * n)), c(reference.size());
      onednn_matmul(a_f32, b, reference, m, n, k);

      WeightsDesc w;
      w.type = Type::u4;
      w.k = k;
      w.n = n;
      w.data = nibbles.data();
      w.groups.size = group;
      if (group != 0) {
        w.groups.scale = scale.data();
        w.groups.zero_point = zero_point.data();
      } else {
        w.scale = scale.data();
        w.zero_point = column_zero.data();
        w.scale_per = w.zero_point_per = Per::column;
      }
      const Packed p = packed(w);
      ASSERT_TRUE(p.status.ok()) << p.status.reason;
      GemmDesc d;
      d.a = Type::s8;
      d.c = Type::f32;
      Gemm plan;
      ASSERT_TRUE(Gemm::plan(d, p.weights, &plan).ok());
      GemmArgs args;
      args.m = m;
      args.a = a.data();
      args.a_stride = k;
      args.c = c.data();
      args.c_stride = n;
      ASSERT_TRUE(plan.run(args).ok());
      const float rounding = static_cast<float>(k + 2) * 0x1p-24f;
      const auto compare = [&](const char* with) {
        for (std::size_t i = 0; i < c.size(); ++i)
          ASSERT_NEAR(c[i], reference[i], magnitude[i] * rounding) << i << " group " << group << " by oneDNN's " << with;
      };
      compare("f32");
      if (k % 2 == 0 && k % size == 0 &&
          onednn_int4_matmul(a_f32, nibbles, transposed(scale, n, count), transposed(zero_point, n, count), size, reference, m, n, k)) {
        compare("u4");
        ++by_nibbles;
      }
    }
  EXPECT_EQ(by_nibbles > 0, NARROW_ONEDNN_HAS_NIBBLES);
}

/// oneDNN reads its cap once a process, so this runs in one of its own (below).
TEST(OneDnn, DISABLED_UnderAvx2) {
  if (!tier_available(Tier::avx2)) GTEST_SKIP() << "no AVX2";
  std::size_t wrong_elements = 0;
  for (const auto& [m, n, k] : shapes) {
    const auto a = drawn<std::uint8_t>(m * k, Fill::extremes, 3);
    const auto b = drawn<std::int8_t>(k * n, Fill::extremes, 4);
    const std::vector<std::int32_t> sums = exact(a, b, m, n, k);
    std::vector<std::int32_t> c(static_cast<std::size_t>(m * n));
    const std::string implementation = onednn_matmul(a, b, c, m, n, k);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < c.size(); ++i) wrong += c[i] != sums[i];
    std::printf("oneDNN under AVX2 (%s), %dx%dx%d u8 x s8: %zu of %zu sums are wrong\n", implementation.c_str(), int(m), int(n), int(k),
                wrong, c.size());
    wrong_elements += wrong;
    ASSERT_EQ((narrow_matmul<std::uint8_t, std::int32_t>(Tier::avx2, a, b, m, n, k)), sums) << m << 'x' << n << 'x' << k;
  }
  if (wrong_elements == 0) GTEST_SKIP() << "this oneDNN does not saturate";
}

TEST(OneDnn, NarrowIsExactWhereOneDnnSaturates) {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  ASSERT_GT(length, 0);
  self[length] = '\0';
  // DNNL_MAX_CPU_ISA is the name that versions before 2.5 know.
  const std::string command = "ONEDNN_MAX_CPU_ISA=AVX2 DNNL_MAX_CPU_ISA=AVX2 '" + std::string(self) +
                              "' --gtest_also_run_disabled_tests --gtest_filter=OneDnn.DISABLED_UnderAvx2 --gtest_brief=1";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace narrow::test
