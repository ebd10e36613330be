// Convolution as a product whose rows lie in pieces: a window's rows are runs of an image, and all windows of one image look
// alike once the padding is there. So images that need padding are copied into scratch with it (as bits, that is little beside
// the product), and A becomes an array of pointers, two for each output pixel: to its window's first byte, and to what its sums
// begin with. That is where padding comes to count as zero: it is stored as -1, so that a tap outside the image takes off its
// sum, which is put into the initial sums of the pixels that have it outside.
//
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

/// Output rows (or columns) by what of their windows lies in the image: those whose windows lie within it are one class, every
/// other one is a class of its own.
struct Axis {
  std::int64_t size, kernel, stride, dilation, pad, out;
  std::int64_t first = 0, within = 0;  ///< windows within the image

  Axis(std::int64_t size_, std::int64_t kernel_, std::int64_t stride_, std::int64_t dilation_, std::int64_t pad_,
       std::int64_t out_, bool by_class)
      : size(size_), kernel(kernel_), stride(stride_), dilation(dilation_), pad(pad_), out(out_), within(out_) {
    if (!by_class) return;
    const std::int64_t last_begin = size + pad - dilation * (kernel - 1) - 1;
    const std::int64_t end = last_begin < 0 ? 0 : std::min(out, last_begin / stride + 1);
    first = std::min(out, (pad + stride - 1) / stride);
    within = std::max<std::int64_t>(0, end - first);
  }
  std::int64_t classes() const { return out - within + (within > 0); }
  std::int64_t class_of(std::int64_t i) const { return i < first ? i : i < first + within ? first : i - within + (within > 0); }
  /// Whether tap r of the outputs of class c lies in the image.
  bool has(std::int64_t c, std::int64_t r) const {
    const std::int64_t i = c <= first ? c : c + within - (within > 0), at = i * stride + r * dilation - pad;
    return at >= 0 && at < size;
  }
};

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

  static bool corrected(const ConvDesc& d, const Product& p) {
    return d.padding == Padding::zero && padded(d) && p.kernel->geometry.a == Type::b1;
  }
  static Axis rows(const Conv& c) {
    const ConvDesc& d = c.desc_;
    return {d.h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top, c.conv_h_, corrected(d, GemmAccess::product(c.gemm_))};
  }
  static Axis columns(const Conv& c) {
    const ConvDesc& d = c.desc_;
    return {d.w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left, c.conv_w_, corrected(d, GemmAccess::product(c.gemm_))};
  }
  /// Columns of the initial sums, whole panels.
  static std::int64_t init_columns(const Conv& c) {
    const Product& p = GemmAccess::product(c.gemm_);
    return round_up(p.panel_count * p.kernel->geometry.nr, max_tile_cols);
  }
  /// Of each class of pixels, and of none.
  static std::int64_t init_bytes(const Conv& c) {
    return (rows(c).classes() * columns(c).classes() + 1) * init_columns(c) * static_cast<std::int64_t>(sizeof(std::int32_t));
  }
  static void fill_init(const Conv& c, std::int32_t* init) {
    const ConvDesc& d = c.desc_;
    const Product& p = GemmAccess::product(c.gemm_);
    const Axis rows = ConvAccess::rows(c), columns = ConvAccess::columns(c);
    const std::int64_t width = init_columns(c);
    std::int32_t* const common = init + rows.classes() * columns.classes() * width;
    Columns strip;
    for (std::int64_t j = 0; j < p.n; j += max_tile_cols) {
      const auto cols = static_cast<int>(std::min<std::int64_t>(max_tile_cols, p.n - j));
      p.kernel->prepare(p.spec, columns_from(p.columns, j), cols, &strip);
      std::memcpy(common + j, strip.init, sizeof strip.init);
    }
    for (std::int64_t y = 0; y < rows.classes(); ++y)
      for (std::int64_t x = 0; x < columns.classes(); ++x, init += width) {
        std::copy_n(common, width, init);
        for (std::int64_t r = 0; r < d.kernel_h && corrected(d, p); ++r)
          for (std::int64_t s = 0; s < d.kernel_w; ++s)
            if (!rows.has(y, r) || !columns.has(x, s)) p.kernel->add_sums(d.tap_sums + (r * d.kernel_w + s) * p.n, p.n, init);
      }
  }

  static std::int64_t images_together(const Conv& c, int threads) {
    const std::int64_t pixels = std::max<std::int64_t>(1, ConvAccess::pixels(c));
    return (pixels_together * std::max(1, threads) + pixels - 1) / pixels;
  }

  /// Bytes of scratch before the driver's own.
  static std::int64_t own_bytes(const Conv& c, std::int64_t images) {
    const ImageBytes b = sizes(c);
    return line + round_up(images * b.pixels * static_cast<std::int64_t>(sizeof(WindowRow)), line) + init_bytes(c) +
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
    auto* windows = reinterpret_cast<WindowRow*>(scratch);
    auto* init = reinterpret_cast<std::int32_t*>(
        scratch + round_up(images * pixels * static_cast<std::int64_t>(sizeof(WindowRow)), line));
    char* const copies = reinterpret_cast<char*>(init) + init_bytes(c);
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
    fill_init(c, init);
    const Axis rows = ConvAccess::rows(c), columns = ConvAccess::columns(c);
    claim(few, images * c.conv_h_, [&](int, std::int64_t i) {
      const std::int64_t y = i % c.conv_h_;
      const char* at = from + i / c.conv_h_ * image_bytes + y * d.stride_h * row_bytes;
      const std::int32_t* of_row = init + rows.class_of(y) * columns.classes() * init_columns(c);
      for (std::int64_t x = 0; x < c.conv_w_; ++x)
        windows[i * c.conv_w_ + x] = {at + x * d.stride_w * pixel_bytes, of_row + columns.class_of(x) * init_columns(c)};
    });

    const bool merged = d.dilation_w == 1 && pixel_bytes == b.pixel;
    const std::ptrdiff_t window_row = d.dilation_h * row_bytes;
    p.window =
        merged ? Window{1, 0, d.kernel_h, window_row} : Window{d.kernel_h, window_row, d.kernel_w, d.dilation_w * pixel_bytes};
    GemmArgs item;
    item.m = images * pixels;
    item.a = windows;
    item.a_stride = static_cast<std::int64_t>(sizeof(WindowRow) / size_of(p.a));
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
    if (g.a == Type::b1) p.spec.offset = static_cast<std::int32_t>(d.kernel_h * d.kernel_w * d.c);
    p.a = g.a;  // by the time that tiles read it
    p.must_pack = p.ragged = false;
    p.kc = p.k_padded;
    p.window.rows = d.kernel_h;  // the rest depends on the image's strides
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
