// One dense layer: C[m,n] = A[m,k] * B[k,n] + bias with u8 activations, s8 weights and a float result.
#include <narrow/narrow.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

static void check(narrow::Status status) {
  if (status.ok()) return;
  std::fprintf(stderr, "narrow: %s\n", status.reason);
  std::exit(1);
}

int main() {
  constexpr int m = 5, n = 40, k = 100;
  std::vector<std::uint8_t> a(m * k);
  std::vector<std::int8_t> b(n * k);  // one column of B after another: Order::nk
  std::vector<float> b_scale(n), bias(n), c(m * n);
  for (int i = 0; i < m * k; ++i) a[i] = static_cast<std::uint8_t>(i * 37);
  for (int i = 0; i < n * k; ++i) b[i] = static_cast<std::int8_t>(i * 91 - 128);
  for (int j = 0; j < n; ++j) b_scale[j] = 0.01f * (1 + j % 3), bias[j] = 0.5f * j;

  // Once: pack the weights into memory of ours, and plan the product.
  narrow::WeightsDesc weights_desc;
  weights_desc.k = k, weights_desc.n = n, weights_desc.data = b.data();
  weights_desc.scale = b_scale.data(), weights_desc.scale_per = narrow::Per::column;
  std::size_t bytes = 0;
  check(narrow::Weights::packed_size(weights_desc, &bytes));
  void* blob = std::aligned_alloc(narrow::Weights::alignment, (bytes + 63) / 64 * 64);
  narrow::Weights weights;
  check(narrow::Weights::pack(weights_desc, blob, bytes, &weights));

  narrow::GemmDesc desc;
  desc.a = narrow::Type::u8, desc.a_scale = 0.02f, desc.a_zero_point = 128;
  desc.c = narrow::Type::f32, desc.bias_f32 = bias.data();
  narrow::Gemm gemm;
  check(narrow::Gemm::plan(desc, weights, &gemm));

  // For every input, with any number of rows.
  narrow::GemmArgs args;
  args.m = m, args.a = a.data(), args.a_stride = k, args.c = c.data(), args.c_stride = n;
  check(gemm.run(args));

  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      int sum = 0;
      for (int p = 0; p < k; ++p) sum += (a[i * k + p] - 128) * b[j * k + p];
      if (c[i * n + j] != std::fma(static_cast<float>(sum), desc.a_scale * b_scale[j], bias[j])) return 1;
    }
  }
  std::printf("kernel %s: c[0,0] = %g, as computed by hand\n", gemm.info().kernel, c[0]);
  std::free(blob);
}
