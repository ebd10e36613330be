// Convolution as a product whose rows lie in pieces: a window's rows are runs of an image, and all windows of one image look
// alike once the padding is there. So images that need padding are copied into scratch with it (as bits, that is little beside
// the product), and A becomes an array of pointers, two for each output pixel: to its window's first byte, and to what its sums
// begin with. That is where padding comes to count as zero: it is stored as -1, so that a tap outside the image takes off its
// sum, which is put into the initial sums of the pixels that have it outside.
//
//   padded image   . . . . . . .        window of pixel (y,x): kernel_h runs of kernel_w pixels, a row of the image apart;
//                  . p-+ o o o .        where the window is dilated, or pixels have gaps, kernel_w runs in each row
//                  . | | o o o .
//                  . +-+ o o o .
//
// Groups are products of their own, with the same pixels: the items of one batch. Where the kernel is a single tap and there is
// nothing to step over, pixels are rows of a plain product.
#include "narrow/conv.h"

#include <algorithm>
#include <cstring>

#include "src/bits.h"
#include "src/claim.h"
#include "src/gemm.h"
#include "src/images.h"
#include "src/operand.h"
#include "src/pool.h"
#include "src/report.h"
#include "src/status.h"
#include "src/weights.h"

namespace narrow {
namespace {

/// Output pixels, for each thread, from which on images are worked on one after another rather than together.
constexpr std::int64_t pixels_together = 1024;

Status check(const ConvDesc& d, const Weights& w) {
  if (Status s = check_geometry(d); !s.ok()) return s;
  if (w.type() != Type::b1) return {Code::unsupported, "conv: filters are b1"};
  const BlobHeader& h = WeightsAccess::header(w);
  const bool bits = sums_of(h) == Sums::bits;
  if (!bits && d.gemm.a != Type::u8 && d.gemm.a != Type::s8)
    return {Code::unsupported, "conv: with filters that are packed for bytes, a is u8 or s8"};
  if (d.gemm.a_zero_point_per != Per::tensor) return invalid("conv: a has one zero point");
  if (d.groups < 1 || d.groups != filter_groups(h) || d.c % d.groups != 0)
    return invalid("conv: groups that the filters are not packed for, or that the channels do not divide into");
  if (h.filter_h != d.kernel_h || h.filter_w != d.kernel_w || h.filter_c != d.c / d.groups)
    return invalid("conv: the weights are not packed for these taps and channels (see prepare_filters)");
  if (d.padding != Padding::minus_one && d.padding != Padding::plus_one && d.padding != Padding::zero)
    return invalid("conv: unknown padding");
  if (!bits && padded(d) && d.padding != Padding::zero) return invalid("conv: images of bytes are padded by zero");
  if (bits && d.padding == Padding::zero && padded(d) && !d.tap_sums) return invalid("conv: padding by zero needs tap_sums");
  return {};
}

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

/// A single tap for each pixel of the image: then pixels, or their copies, are the rows of A.
bool pointwise(const ConvDesc& d) {
  return d.kernel_h == 1 && d.kernel_w == 1 && d.stride_h == 1 && d.stride_w == 1 && !padded(d);
}

/// Whether the bits of groups cannot be written where they belong, whole words as they are.
bool joined(const ConvDesc& d, const Product& p) { return d.gemm.c == Type::b1 && d.groups > 1 && p.n % 32 != 0; }

}  // namespace

Status prepare_filters(const ConvFilters& f, WeightsDesc* desc, std::int32_t* tap_sums) noexcept {
  if (!desc) return invalid("conv: null pointer");
  if (f.n < 0 || f.n > n_limit || f.kernel_h < 1 || f.kernel_w < 1 || f.c < 1 || f.kernel_h > size_limit ||
      f.kernel_w > size_limit || f.c > size_limit || f.kernel_h * f.kernel_w > size_limit / (8 * bit_row_bytes(f.c)))
    return invalid("conv: the filters' sizes are out of range");
  if (f.groups < 1 || f.n % f.groups != 0) return invalid("conv: the filters do not divide into their groups");
  if (!f.data && f.n > 0) return invalid("conv: the filters are null");
  const std::int64_t taps = f.kernel_h * f.kernel_w, tap = bit_row_bytes(f.c);
  if (!padding_is_zero(f.data, tap, f.n * taps, f.c)) return invalid("conv: a filter's bit beyond c is not 0");
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
  desc->filter_groups = f.groups;
  desc->filter_h = f.kernel_h;
  desc->filter_w = f.kernel_w;
  desc->filter_c = f.c;
  return {};
}

struct ConvAccess {
  /// The product of a group; n is of one.
  static const Product& product(const Conv& c) { return GemmAccess::product(c.gemm_); }
  static std::int64_t filters(const Conv& c) { return product(c).n * c.desc_.groups; }
  static std::int64_t pixels(const Conv& c) { return c.conv_h_ * c.conv_w_; }

  static bool corrected(const ConvDesc& d, const Product& p) {
    return d.padding == Padding::zero && padded(d) && p.kernel->geometry.a == Type::b1;
  }
  static Axis rows(const Conv& c) {
    const ConvDesc& d = c.desc_;
    return {d.h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top, c.conv_h_, corrected(d, product(c))};
  }
  static Axis columns(const Conv& c) {
    const ConvDesc& d = c.desc_;
    return {d.w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left, c.conv_w_, corrected(d, product(c))};
  }
  /// Columns of the initial sums of a group: whole panels, and whole strips.
  static std::int64_t init_columns(const Conv& c) {
    return round_up(round_up(product(c).n, max_tile_cols), product(c).kernel->geometry.nr);
  }
  /// Rows of them: of each class of pixels; then, to make these of, of a pixel within the image, and thresholds of bits.
  static std::int64_t init_rows(const Conv& c) { return rows(c).classes() * columns(c).classes() + 2; }
  static void fill_init(const Conv& c, std::int32_t* init) {
    const ConvDesc& d = c.desc_;
    const Product& p = product(c);
    const Axis rows = ConvAccess::rows(c), columns = ConvAccess::columns(c);
    const std::int64_t of_group = init_columns(c), width = d.groups * of_group;
    std::int32_t* const common = init + rows.classes() * columns.classes() * width;
    Columns strip;
    std::int32_t* const thresholds = common + width;
    for (std::int64_t group = 0; group < d.groups; ++group)
      for (std::int64_t j = 0; j < p.n; j += max_tile_cols) {
        const auto cols = static_cast<int>(std::min<std::int64_t>(max_tile_cols, p.n - j));
        p.kernel->prepare(p.spec, columns_from(p.columns, group * p.n + j), {cols, max_tile_cols}, &strip);
        std::memcpy(common + group * of_group + j, strip.init, sizeof strip.init);
        if (p.output == Output::bits) std::memcpy(thresholds + group * of_group + j, strip.threshold, sizeof strip.threshold);
      }
    for (std::int64_t y = 0; y < rows.classes(); ++y)
      for (std::int64_t x = 0; x < columns.classes(); ++x, init += width) {
        std::copy_n(common, width, init);
        for (std::int64_t r = 0; r < d.kernel_h && corrected(d, p); ++r)
          for (std::int64_t s = 0; s < d.kernel_w; ++s)
            for (std::int64_t group = 0; group < d.groups && (!rows.has(y, r) || !columns.has(x, s)); ++group)
              p.kernel->add_sums(d.tap_sums + (r * d.kernel_w + s) * filters(c) + group * p.n, p.n, init + group * of_group);
        if (p.output == Output::bits) p.kernel->limits(thresholds, width, init);
      }
  }

  static std::int64_t images_together(const Conv& c, int threads) {
    const std::int64_t pixels = std::max<std::int64_t>(1, ConvAccess::pixels(c));
    return (pixels_together * std::max(1, threads) + pixels - 1) / pixels;
  }

  /// What a call keeps in scratch; the driver's own comes behind it.
  struct Scratch {
    Product* products;   ///< [groups]
    GemmArgs* items;     ///< [groups]
    WindowRow* windows;  ///< [pixels], where the convolution is not pointwise
    std::int32_t* init;  ///< see fill_init, likewise
    char *copies, *to_pool, *to_join;
    std::int64_t bytes;
  };
  /// With the pointers null where `at` is.
  static Scratch carve(const Conv& c, std::int64_t images, char* at) {
    const ConvDesc& d = c.desc_;
    const Product& p = product(c);
    Scratch s{};
    const auto take = [&](std::int64_t count, std::size_t size) {
      char* const here = offset(at, s.bytes);
      s.bytes += round_up(count * static_cast<std::int64_t>(size), line);
      return here;
    };
    const std::int64_t rows = images * pixels(c), windows = pointwise(d) ? 0 : rows;
    const std::int64_t inits = pointwise(d) ? 0 : init_rows(c) * d.groups * init_columns(c);
    s.products = reinterpret_cast<Product*>(take(d.groups, sizeof(Product)));
    s.items = reinterpret_cast<GemmArgs*>(take(d.groups, sizeof(GemmArgs)));
    s.windows = reinterpret_cast<WindowRow*>(take(windows, sizeof(WindowRow)));
    s.init = reinterpret_cast<std::int32_t*>(take(inits, sizeof(std::int32_t)));
    s.copies = take(copy_bytes(d, p.kernel->geometry, images), 1);
    s.to_pool = take(d.pool.h ? rows * bit_row_bytes(filters(c)) : 0, 1);
    s.to_join = take(joined(d, p) ? d.groups * rows * bit_row_bytes(p.n) : 0, 1);
    return s;
  }
  static void fill_windows(const Conv& c, const ImageLayout& l, const char* from, std::int64_t images, const Scratch& s,
                           const Parallel& parallel) {
    const ConvDesc& d = c.desc_;
    fill_init(c, s.init);
    const Axis rows = ConvAccess::rows(c), columns = ConvAccess::columns(c);
    const std::int64_t width = d.groups * init_columns(c);
    claim(parallel, images * c.conv_h_, [&](int, std::int64_t i) {
      const std::int64_t y = i % c.conv_h_;
      const char* at = from + i / c.conv_h_ * l.image + y * d.stride_h * l.row;
      const std::int32_t* of_row = s.init + rows.class_of(y) * columns.classes() * width;
      for (std::int64_t x = 0; x < c.conv_w_; ++x)
        s.windows[i * c.conv_w_ + x] = {at + x * d.stride_w * l.pixel, of_row + columns.class_of(x) * width};
    });
  }

  /// Computes `images` images from the first of args on.
  static void run(const Conv& c, const ConvArgs& args, std::int64_t images, char* scratch, std::size_t bytes,
                  const Parallel& parallel) {
    const ConvDesc& d = c.desc_;
    Product p = product(c);
    char* const end = scratch + bytes;
    char* const begin = align(scratch);
    const Scratch s = carve(c, images, begin);
    char* const rest = begin + s.bytes;
    const ImageLayout l = layout_of(d, p.kernel->geometry, args.a_stride, images);
    Parallel few = parallel;  // a thread is worth waking for some thousands of pixels
    few.threads = static_cast<int>(std::clamp<std::int64_t>(images * d.h * d.w / 4096, 1, std::max(1, parallel.threads)));
    if (l.copied) copy_images(d, p, l, args, images, s.copies, few);

    GemmArgs item;
    item.m = images * pixels(c);
    item.a = l.copied ? s.copies : args.a;
    item.a_stride = l.pixel / static_cast<std::int64_t>(size_of(p.a));
    if (!pointwise(d)) {
      fill_windows(c, l, static_cast<const char*>(item.a), images, s, few);
      const bool merged = d.dilation_w == 1 && l.pixel == l.channels * static_cast<std::int64_t>(size_of(p.a));
      const std::ptrdiff_t window_row = d.dilation_h * l.row;
      p.window = merged ? Window{1, 0, d.kernel_h, window_row, 0, 0}
                        : Window{d.kernel_h, window_row, d.kernel_w, d.dilation_w * l.pixel, 0, 0};
      item.a = s.windows;
      item.a_stride = static_cast<std::int64_t>(sizeof(WindowRow) / size_of(p.a));
    }
    char* const c_rows = d.pool.h ? s.to_pool : static_cast<char*>(args.c);
    const std::int64_t c_stride = d.pool.h ? bit_row_bytes(filters(c)) : args.c_stride;
    item.a_scale = args.a_scale;
    item.residual_stride = args.residual_stride;
    item.c_stride = joined(d, p) ? bit_row_bytes(p.n) : c_stride;
    const std::int64_t next_c =
        joined(d, p) ? item.m * item.c_stride : elements_of(d.gemm.c, p.n) * static_cast<std::int64_t>(size_of(d.gemm.c));
    for (std::int64_t group = 0; group < d.groups; ++group) {
      Product& of_group = *new (s.products + group) Product(p);
      of_group.columns = columns_from(p.columns, group * p.n);
      of_group.panels = p.panels + group * p.panel_count * p.panel_stride;
      of_group.window.first = group * l.next_group;
      of_group.window.column = group * init_columns(c);
      GemmArgs& mine = *new (s.items + group) GemmArgs(item);
      if (pointwise(d)) mine.a = static_cast<const char*>(item.a) + group * l.next_group;
      mine.c = (joined(d, p) ? s.to_join : c_rows) + group * next_c;
      mine.residual =
          offset(static_cast<const char*>(args.residual), group * p.n * static_cast<std::int64_t>(size_of(p.spec.residual)));
    }
    multiply({s.products, d.groups > 1 ? static_cast<std::ptrdiff_t>(sizeof(Product)) : 0},
             blocking(p, item.m, parallel.for_each ? parallel.threads : 1), s.items, static_cast<int>(d.groups), rest,
             static_cast<std::size_t>(end - rest), parallel);
    if (joined(d, p)) join_bits(s.to_join, d.groups, p.n, item.m, c_rows, c_stride, few);
    if (d.pool.h) pool_bits(d.pool, {images, c.conv_h_, c.conv_w_, filters(c), c_rows, c_stride}, args.c, args.c_stride, few);
  }

  static Status check(const Conv& c, const ConvArgs& args) {
    const ConvDesc& d = c.desc_;
    if (args.images < 0) return invalid("conv: negative number of images");
    if (args.images == 0 || product(c).n == 0 || c.out_h_ * c.out_w_ == 0) return {};
    if (!args.a) return invalid("conv: a is null");
    if (args.a_stride < elements_of(d.gemm.a, d.c)) return invalid("conv: a_stride is shorter than a pixel");
    std::int64_t in_pixels, out_pixels;
    if (__builtin_mul_overflow(args.images, d.h * d.w, &in_pixels) ||
        __builtin_mul_overflow(args.images, pixels(c), &out_pixels) || out_pixels > n_limit ||
        out_of_reach(in_pixels, args.a_stride))
      return invalid("conv: more than 2^31 - 1 output pixels, or images so far apart that their bytes leave 64 bits");
    if (d.gemm.a == Type::b1 && !padding_is_zero(args.a, args.a_stride, args.images * d.h * d.w, d.c))
      return invalid("conv: a bit of a beyond c is not 0");
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
    if (!out) return invalid("conv: null pointer");
    if (!w.blob()) return invalid("conv: the weights are empty (neither packed nor opened)");
    if (Status s = narrow::check(d, w); !s.ok()) return s;
    GemmDesc gemm = d.gemm;
    gemm.a_threshold = nullptr;  // of channels, not of k
    if (Status s = check_thresholds(d.gemm.a_threshold, d.gemm.a_threshold_per, d.c); !s.ok()) return s;
    Conv conv;
    if (Status s = GemmAccess::plan(gemm, w, &conv.gemm_); !s.ok()) return s;
    Product& p = GemmAccess::product(conv.gemm_);
    const Geometry& g = p.kernel->geometry;
    if (!p.kernel->to_sums.indirect || layout_of(d, g, 0, 0).channels % g.k_unit != 0)
      return {Code::unsupported,
              "conv: the weights are not packed as filters (see prepare_filters), or for a tier without convolutions"};
    conv.desc_ = d;
    conv.conv_h_ = conv.out_h_ = conv_output(d.h, d.kernel_h, d.stride_h, d.dilation_h, d.pad_top + d.pad_bottom);
    conv.conv_w_ = conv.out_w_ = conv_output(d.w, d.kernel_w, d.stride_w, d.dilation_w, d.pad_left + d.pad_right);
    if (d.pool.h || d.pool.w) {
      if (d.gemm.c != Type::b1) return invalid("conv: a pool needs an output of bits");
      // An empty output is pooled to an empty one.
      const auto some = [](std::int64_t size) { return std::max<std::int64_t>(1, size); };
      if (Status s = check_pool(d.pool, some(conv.conv_h_), some(conv.conv_w_)); !s.ok()) return s;
      conv.out_h_ = conv_output(conv.conv_h_, d.pool.h, d.pool.stride_h, 1, d.pool.pad_top + d.pool.pad_bottom);
      conv.out_w_ = conv_output(conv.conv_w_, d.pool.w, d.pool.stride_w, 1, d.pool.pad_left + d.pool.pad_right);
    }
    if (conv.conv_w_ > 0 && conv.conv_h_ > n_limit / conv.conv_w_)
      return invalid("conv: more than 2^31 - 1 output pixels of an image");
    if (g.a == Type::b1) p.spec.offset = static_cast<std::int32_t>(d.kernel_h * d.kernel_w * (d.c / d.groups));
    p.n = w.n() / d.groups;
    p.k = elements_of(g.a, p.real_k);  // of what tiles read, and so is a
    p.a = g.a;
    complete(&p);
    p.must_pack = p.ragged = false;
    p.packed.kc = p.k_padded;
    p.unpack_rows = never_unpacks;  // tiles read images in place
    if (!pointwise(d)) p.window.rows = d.kernel_h;  // the rest depends on the image's strides
    *out = conv;
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
  return line + static_cast<std::size_t>(ConvAccess::carve(*this, together, nullptr).bytes) + scratch_up_to(p, m, threads);
}

Status Conv::run(const ConvArgs& args, void* scratch, std::size_t bytes, const Parallel& parallel) const noexcept {
  const Product& p = GemmAccess::product(gemm_);
  if (!p.kernel) return invalid("conv: run before plan");
  if (Status s = ConvAccess::check(*this, args); !s.ok()) return s;
  if (args.images == 0 || p.n == 0 || out_h_ * out_w_ == 0) return {};
  const int threads = parallel.for_each ? parallel.threads : 1;
  if (bytes < scratch_size(args.images, threads))
    return {Code::scratch_too_small, "conv: the scratch buffer is smaller than scratch_size says"};
  if (!scratch) return invalid("conv: scratch is null");
  const std::int64_t together = ConvAccess::images_together(*this, threads), pixels = ConvAccess::pixels(*this);
  const Report report(p, "conv", args.images * pixels, ConvAccess::filters(*this), args.images, Type::b1, parallel.threads);
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
