// Convolution as a product whose rows lie in pieces: a window's rows are runs of an image, and all windows of one image look
// alike once the padding is there. So images that need padding are copied into scratch with it (as bits, that is little beside
// the product), and A becomes an array of pointers, one for each output pixel, to its window's first byte:
//
//   padded image   . . . . . . .        window of pixel (y,x): kernel_h runs of kernel_w pixels, a row of the image apart;
//                  . p-+ o o o .        where the window is dilated, or pixels have gaps, kernel_w runs in each row
//                  . | | o o o .
//                  . +-+ o o o .
#include "narrow/conv.h"

#include <algorithm>
#include <cstring>

#include "src/bits.h"
#include "src/claim.h"
#include "src/driver.h"
#include "src/gemm.h"
#include "src/kernel.h"
#include "src/pool.h"
#include "src/weights.h"

namespace narrow {
namespace {

constexpr std::int64_t line = 64;
constexpr std::int64_t most = std::int64_t{1} << 30;  // of any size; keeps products of two far from overflow
/// Output pixels, for each thread, from which on images are worked on one after another rather than together.
constexpr std::int64_t pixels_together = 1024;

Status bad(const char* reason) { return {Code::invalid_argument, reason}; }

bool padded(const ConvDesc& d) { return d.pad_top || d.pad_left || d.pad_bottom || d.pad_right; }

Status check(const ConvDesc& d, const Weights& w) {
  for (std::int64_t size : {d.h, d.w, d.c, d.kernel_h, d.kernel_w, d.stride_h, d.stride_w, d.dilation_h, d.dilation_w})
    if (size < 1 || size > most) return bad("conv: sizes, strides and dilations are at least 1");
  for (std::int64_t pad : {d.pad_top, d.pad_left, d.pad_bottom, d.pad_right})
    if (pad < 0 || pad > most) return bad("conv: negative padding");
  if (w.type() != Type::b1) return {Code::unsupported, "conv: filters are b1"};
  const bool bits = sums_of(WeightsAccess::header(w)) == Sums::bits;
  if (!bits && d.gemm.a != Type::u8 && d.gemm.a != Type::s8)
    return {Code::unsupported, "conv: with filters that are packed for bytes, a is u8 or s8"};
  if (d.gemm.a_zero_point_per != Per::tensor) return bad("conv: a has one zero point");
  if (d.kernel_h * d.kernel_w > most / (8 * bit_row_bytes(d.c)) || w.k() != d.kernel_h * d.kernel_w * 8 * bit_row_bytes(d.c))
    return bad("conv: the weights are not packed for these taps and channels (see prepare_filters)");
  if (d.padding != Padding::minus_one && d.padding != Padding::plus_one && d.padding != Padding::zero)
    return bad("conv: unknown padding");
  if (!bits && padded(d) && d.padding != Padding::zero) return bad("conv: images of bytes are padded by zero");
  if (bits && d.padding == Padding::zero && padded(d) && !d.tap_sums) return bad("conv: padding by zero needs tap_sums");
  return {};
}

/// Whether images are read from a copy: padded, or because they are not stored as the kernel reads them.
bool copied(const ConvDesc& d, const Geometry& g) { return padded(d) || d.gemm.a != g.a || (g.a != Type::b1 && d.c % 32 != 0); }

/// The output rows (or columns) whose windows lie within the image: from the first on that begins there, up to the last that
/// ends there.
std::int64_t first_whole(std::int64_t pad, std::int64_t stride) { return (pad + stride - 1) / stride; }
std::int64_t end_of_whole(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                          std::int64_t pad) {
  const std::int64_t last = size + pad - dilation * (kernel - 1) - 1;
  return last < 0 ? 0 : last / stride + 1;
}

/// Sizes of what a call keeps in scratch for one image.
struct ImageBytes {
  std::int64_t channels;           ///< elements of a pixel, padded as the filters are
  std::int64_t pixel, row, image;  ///< of the copy
  std::int64_t pixels;             ///< of the convolution
};
ImageBytes bytes_of(const ConvDesc& d, const Geometry& g, std::int64_t pixels) {
  const std::int64_t channels = bit_row_bytes(d.c) * (g.a == Type::b1 ? 1 : 8);
  const std::int64_t pixel = channels * static_cast<std::int64_t>(size_of(g.a)), row = (d.w + d.pad_left + d.pad_right) * pixel;
  return {channels, pixel, row, copied(d, g) ? (d.h + d.pad_top + d.pad_bottom) * row : 0, pixels};
}

/// Pixels of padding.
void fill(const ConvDesc& d, const Product& p, const ImageBytes& b, char* to, std::int64_t pixels) {
  const Type a = p.kernel->geometry.a;
  if (a == Type::b1) {
    std::memset(to, 0, static_cast<std::size_t>(pixels * b.pixel));
    if (d.padding != Padding::plus_one) return;
    for (std::int64_t x = 0; x < pixels; ++x, to += b.pixel) {
      std::memset(to, 0xff, static_cast<std::size_t>(d.c / 8));
      if (d.c % 8) to[d.c / 8] = static_cast<char>((1 << d.c % 8) - 1);
    }
  } else if (a == Type::s16) {
    std::fill_n(reinterpret_cast<std::int16_t*>(to), pixels * b.channels, static_cast<std::int16_t>(p.spec.a_zero_point));
  } else {
    std::memset(to, p.spec.a_zero_point, static_cast<std::size_t>(pixels * b.pixel));
  }
}

/// One row of the copy of an image, with its padding; channels behind c are padding as well.
void copy_row(const ConvDesc& d, const Product& p, const ImageBytes& b, const char* image, std::int64_t a_stride,
              std::int64_t y, char* out) {
  y -= d.pad_top;
  if (y < 0 || y >= d.h) return fill(d, p, b, out, d.w + d.pad_left + d.pad_right);
  fill(d, p, b, out, d.pad_left);
  out += d.pad_left * b.pixel;
  PackAArgs args{};
  args.src = image + y * d.w * a_stride * static_cast<std::int64_t>(size_of(d.gemm.a));
  args.src_type = d.gemm.a;
  args.stride = a_stride;
  args.rows = static_cast<int>(d.w);
  args.k = elements_of(d.gemm.a, d.c);
  args.k_padded = b.channels;
  args.threshold = d.gemm.a_threshold;
  args.threshold_stride = d.gemm.a_threshold_per == Per::column;
  args.dst = out;
  p.kernel->pack_a(args);
  if (p.kernel->geometry.a != Type::b1 && d.c % 32 != 0) {
    const std::int64_t left = b.channels - d.c, element = b.pixel / b.channels;
    for (std::int64_t x = 0; x < d.w; ++x) {
      char* behind = out + x * b.pixel + d.c * element;
      fill(d, p, {left, left * element, 0, 0, 0}, behind, 1);
    }
  }
  fill(d, p, b, out + d.w * b.pixel, d.pad_right);
}

}  // namespace

void restore_border(const ConvShape& s, const Kernel& kernel, std::int64_t n, Pixel* pixel, int pixels, std::int64_t column,
                    int cols, std::int32_t* sum, std::ptrdiff_t sum_stride) noexcept {
  Pixel at = *pixel;
  for (int i = 0; i < pixels; ++i, sum += sum_stride, at.advance(s)) {
    if (at.y >= s.whole_y && at.y < s.whole_y_end && at.x >= s.whole_x && at.x < s.whole_x_end) continue;
    for (std::int64_t r = 0; r < s.kernel_h; ++r)
      for (std::int64_t t = 0; t < s.kernel_w; ++t)
        if (!s.has_row(at.y, r) || !s.has_column(at.x, t))
          kernel.add_sums(s.tap_sums + (r * s.kernel_w + t) * n + column, cols, sum);
  }
  *pixel = at;
}

Status prepare_filters(const ConvFilters& f, WeightsDesc* desc, std::int32_t* tap_sums) noexcept {
  if (!desc) return bad("conv: null pointer");
  if (f.n < 0 || f.n > n_limit || f.kernel_h < 1 || f.kernel_w < 1 || f.c < 1 || f.kernel_h > most || f.kernel_w > most ||
      f.c > most || f.kernel_h * f.kernel_w > most / (8 * bit_row_bytes(f.c)))
    return bad("conv: the filters' sizes are out of range");
  if (!f.data && f.n > 0) return bad("conv: the filters are null");
  const std::int64_t taps = f.kernel_h * f.kernel_w, tap = bit_row_bytes(f.c);
  if (!padding_is_zero(f.data, tap, f.n * taps, f.c)) return bad("conv: a filter's bit beyond c is not 0");
  if (tap_sums)
    for (std::int64_t j = 0; j < f.n; ++j)
      for (std::int64_t t = 0; t < taps; ++t)
        tap_sums[t * f.n + j] = sum_of_bits(static_cast<const char*>(f.data) + (j * taps + t) * tap, f.c);
  desc->type = Type::b1;
  desc->k = taps * tap * 8;
  desc->n = f.n;
  desc->order = Order::nk;
  desc->data = f.data;
  desc->stride = 0;
  return {};
}

struct ConvAccess {
  static std::int64_t pixels(const Conv& c) { return c.conv_h_ * c.conv_w_; }
  static ImageBytes sizes(const Conv& c) { return bytes_of(c.desc_, GemmAccess::product(c.gemm_).kernel->geometry, pixels(c)); }

  static std::int64_t images_together(const Conv& c, int threads) {
    const std::int64_t pixels = std::max<std::int64_t>(1, ConvAccess::pixels(c));
    return (pixels_together * std::max(1, threads) + pixels - 1) / pixels;
  }

  /// Bytes of scratch before the driver's own.
  static std::int64_t own_bytes(const Conv& c, std::int64_t images) {
    const ImageBytes b = sizes(c);
    return line + round_up(images * b.pixels * static_cast<std::int64_t>(sizeof(char*)), line) +
           round_up(images * b.image, line) + pooled_bytes(c, images);
  }
  /// Of what is to be pooled.
  static std::int64_t pooled_bytes(const Conv& c, std::int64_t images) {
    return c.desc_.pool.h ? round_up(images * pixels(c) * bit_row_bytes(GemmAccess::product(c.gemm_).n), line) : 0;
  }

  /// Computes `images` images from the first of args on.
  static void run(const Conv& c, const ConvArgs& args, std::int64_t images, char* scratch, std::size_t bytes,
                  const Parallel& parallel) {
    const ConvDesc& d = c.desc_;
    Product p = GemmAccess::product(c.gemm_);
    const std::int64_t pixels = ConvAccess::pixels(c);
    const ImageBytes b = sizes(c);
    const bool copied = narrow::copied(d, p.kernel->geometry);
    char* const end = scratch + bytes;
    scratch += (line - static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(scratch) % line)) % line;
    auto** pointers = reinterpret_cast<const char**>(scratch);
    char* const copies = scratch + round_up(images * pixels * static_cast<std::int64_t>(sizeof(char*)), line);
    char* const to_pool = copies + round_up(images * b.image, line);
    char* const rest = to_pool + pooled_bytes(c, images);

    const std::int64_t a_bytes = args.a_stride * static_cast<std::int64_t>(size_of(d.gemm.a));
    const std::int64_t pixel_bytes = copied ? b.pixel : a_bytes, row_bytes = copied ? b.row : d.w * a_bytes;
    const std::int64_t image_bytes = copied ? b.image : d.h * row_bytes;
    const auto* const a = static_cast<const char*>(args.a);
    const char* const from = copied ? copies : a;
    Parallel few = parallel;  // a thread is worth waking for some thousands of pixels
    few.threads = static_cast<int>(std::clamp<std::int64_t>(images * d.h * d.w / 4096, 1, std::max(1, parallel.threads)));
    if (copied) {
      const std::int64_t rows = d.h + d.pad_top + d.pad_bottom;
      claim(few, images * rows, [&](int, std::int64_t i) {
        const std::int64_t image = i / rows, y = i % rows;
        copy_row(d, p, b, a + image * d.h * d.w * a_bytes, args.a_stride, y, copies + image * b.image + y * b.row);
      });
    }
    claim(few, images * c.conv_h_, [&](int, std::int64_t i) {
      const char* at = from + i / c.conv_h_ * image_bytes + i % c.conv_h_ * d.stride_h * row_bytes;
      for (std::int64_t x = 0; x < c.conv_w_; ++x) pointers[i * c.conv_w_ + x] = at + x * d.stride_w * pixel_bytes;
    });

    const bool merged = d.dilation_w == 1 && pixel_bytes == b.pixel;
    p.window = {d.kernel_h, d.dilation_h * row_bytes, merged ? 1 : d.kernel_w, d.dilation_w * pixel_bytes};
    GemmArgs item;
    item.m = images * pixels;
    item.a = pointers;
    item.a_stride = static_cast<std::int64_t>(sizeof(char*) / size_of(p.a));
    item.c = d.pool.h ? to_pool : args.c;
    item.c_stride = d.pool.h ? bit_row_bytes(p.n) : args.c_stride;
    item.a_scale = args.a_scale;
    item.residual = args.residual;
    item.residual_stride = args.residual_stride;
    multiply({&p}, blocking(p, item.m, parallel.for_each ? parallel.threads : 1), &item, 1, rest,
             static_cast<std::size_t>(end - rest), parallel);
    if (d.pool.h) pool_bits(d.pool, {images, c.conv_h_, c.conv_w_, p.n, to_pool, item.c_stride}, args.c, args.c_stride, few);
  }

  static Status check(const Conv& c, const ConvArgs& args) {
    const ConvDesc& d = c.desc_;
    const std::int64_t n = GemmAccess::product(c.gemm_).n;
    if (args.images < 0) return bad("conv: negative number of images");
    if (args.images == 0 || n == 0 || c.out_h_ * c.out_w_ == 0) return {};
    if (!args.a) return bad("conv: a is null");
    if (args.a_stride < elements_of(d.gemm.a, d.c)) return bad("conv: a_stride is shorter than a pixel");
    if (d.gemm.a == Type::b1 && !padding_is_zero(args.a, args.a_stride, args.images * d.h * d.w, d.c))
      return bad("conv: a bit of a beyond c is not 0");
    GemmArgs item;
    item.m = args.images * pixels(c);
    item.c = args.c;
    item.c_stride = args.c_stride;
    item.a_scale = args.a_scale;
    item.residual = args.residual;
    item.residual_stride = args.residual_stride;
    return GemmAccess::check_output(c.gemm_, item);
  }

  static Status plan(const ConvDesc& d, const Weights& w, Conv* out) {
    if (!out) return bad("conv: null pointer");
    if (!w.blob()) return bad("conv: the weights are empty (neither packed nor opened)");
    if (Status s = narrow::check(d, w); !s.ok()) return s;
    GemmDesc gemm = d.gemm;
    gemm.a_threshold = nullptr;  // of channels, not of k
    if (Status s = check_thresholds(d.gemm.a_threshold, d.gemm.a_threshold_per, d.c); !s.ok()) return s;
    if (Status s = Gemm::plan(gemm, w, &out->gemm_); !s.ok()) return s;
    Product& p = GemmAccess::product(out->gemm_);
    const Geometry& g = p.kernel->geometry;
    if (!p.kernel->run_indirect || bytes_of(d, g, 0).channels % g.k_unit != 0)
      return {Code::unsupported, "conv: no kernel for convolutions in the tier that the weights are packed for"};
    out->desc_ = d;
    out->conv_h_ = out->out_h_ = conv_output(d.h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top + d.pad_bottom);
    out->conv_w_ = out->out_w_ = conv_output(d.w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left + d.pad_right);
    if (d.pool.h) {
      if (d.gemm.c != Type::b1) return bad("conv: a pool needs an output of bits");
      if (out->conv_h_ * out->conv_w_ > 0)
        if (Status s = check_pool(d.pool, out->conv_h_, out->conv_w_); !s.ok()) return s;
      out->out_h_ = conv_output(out->conv_h_, d.pool.h, d.pool.stride_h, 1, d.pool.pad_top + d.pool.pad_bottom);
      out->out_w_ = conv_output(out->conv_w_, d.pool.w, d.pool.stride_w, 1, d.pool.pad_left + d.pool.pad_right);
    }
    const auto narrowed = [](std::int64_t x) { return static_cast<std::int32_t>(x); };
    if (g.a == Type::b1) p.spec.offset = narrowed(d.kernel_h * d.kernel_w * d.c);
    p.a = g.a;  // by the time that tiles read it
    p.must_pack = p.ragged = false;
    p.kc = p.k_padded;
    p.window.rows = d.kernel_h;  // the rest depends on the image's strides
    p.shape = {narrowed(d.h),
               narrowed(d.w),
               narrowed(out->conv_h_),
               narrowed(out->conv_w_),
               narrowed(d.kernel_h),
               narrowed(d.kernel_w),
               narrowed(d.stride_h),
               narrowed(d.stride_w),
               narrowed(d.dilation_h),
               narrowed(d.dilation_w),
               narrowed(d.pad_top),
               narrowed(d.pad_left),
               g.a == Type::b1 && d.padding == Padding::zero && padded(d) ? d.tap_sums : nullptr,
               narrowed(first_whole(d.pad_top, d.stride_h)),
               narrowed(end_of_whole(d.h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top)),
               narrowed(first_whole(d.pad_left, d.stride_w)),
               narrowed(end_of_whole(d.w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left))};
    return {};
  }
};

Status Conv::plan(const ConvDesc& desc, const Weights& weights, Conv* out) noexcept {
  return ConvAccess::plan(desc, weights, out);
}

std::size_t Conv::scratch_size(std::int64_t images, int threads) const noexcept {
  const Product& p = GemmAccess::product(gemm_);
  if (!p.kernel || images <= 0 || out_h_ * out_w_ == 0) return 0;
  const std::int64_t together = std::min(images, ConvAccess::images_together(*this, threads));
  const std::int64_t m = together * ConvAccess::pixels(*this);
  return static_cast<std::size_t>(ConvAccess::own_bytes(*this, together)) + scratch_bytes(p, blocking(p, m, threads), m);
}

Status Conv::run(const ConvArgs& args, void* scratch, std::size_t bytes, const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(gemm_);
  if (!p.kernel) return bad("conv: run before plan");
  if (Status s = ConvAccess::check(*this, args); !s.ok()) return s;
  if (args.images == 0 || p.n == 0 || out_h_ * out_w_ == 0) return {};
  const int threads = parallel.for_each ? parallel.threads : 1;
  if (bytes < scratch_size(args.images, threads))
    return {Code::scratch_too_small, "conv: the scratch buffer is smaller than scratch_size says"};
  if (!scratch) return bad("conv: scratch is null");
  const std::int64_t together = ConvAccess::images_together(*this, threads), pixels = ConvAccess::pixels(*this);
  for (std::int64_t first = 0; first < args.images; first += together) {
    ConvArgs some = args;
    const std::int64_t row = first * pixels;
    some.a = static_cast<const char*>(args.a) +
             first * desc_.h * desc_.w * args.a_stride * static_cast<std::int64_t>(size_of(desc_.gemm.a));
    some.c =
        static_cast<char*>(args.c) + first * out_h_ * out_w_ * args.c_stride * static_cast<std::int64_t>(size_of(p.spec.c));
    if (args.a_scale) some.a_scale = args.a_scale + row;
    if (args.residual)
      some.residual = static_cast<const char*>(args.residual) +
                      row * args.residual_stride * static_cast<std::int64_t>(size_of(p.spec.residual));
    ConvAccess::run(*this, some, std::min(together, args.images - first), static_cast<char*>(scratch), bytes, parallel);
  }
  return {};
}

}  // namespace narrow
