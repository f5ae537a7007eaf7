package io.github.distrifuser.cpu;

import static io.github.distrifuser.cpu.WinogradTransform.IN;
import static io.github.distrifuser.cpu.WinogradTransform.OUT;
import static io.github.distrifuser.cpu.WinogradTransform.PRODUCTS;
import static io.github.distrifuser.cpu.WinogradTransform.TAPS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/**
 * Convolutions of 3 x 3 in float32 by {@link WinogradTransform}: tiles are transformed, multiplied
 * with the transformed filters in 36 matrix products, and transformed back. Each worker takes some
 * tiles at a time, so that what it makes of them stays in the caches. Transformed filters take four
 * times the weights' memory in float32: those of few channels, which see the largest pictures, are
 * kept within a budget; others are transformed anew in each call.
 */
final class WinogradConv {
  /** Floats of transformed tiles, before and after the products, that a worker holds at a time. */
  private static final long BLOCK_ELEMENTS = 2L << 20;

  /** Fewest tiles of a matrix product that is still fast. */
  private static final int FEWEST_TILES = 128;

  /** Output channels are done in parts where transformed filters would take more memory. */
  private static final long FILTER_BYTES = 64L << 20;

  /** Parts of output channels are multiples of this. */
  private static final int CHUNK = 64;

  /** Input channels whose filters are transformed together, for they lie side by side. */
  private static final int CHANNELS = 16;

  /** Elements that a vector should at least have for its loops to be fast. */
  private static final int VECTOR = 512;

  /** With fewer, transforming takes longer than what is saved (docs/PERFORMANCE.md). */
  private static final int FEWEST_CHANNELS = 64;

  /** From so many on few pixels are enough where filters are kept. */
  private static final int MANY_CHANNELS = 128;

  /** With fewer output pixels in all, products of few tiles take longer than what is saved. */
  private static final int FEWEST_PIXELS = 512;

  /** The same with fewer channels, and where filters are transformed in each call. */
  private static final int FEWEST_PIXELS_ELSE = 2048;

  /** Largest transformed filters that are kept, in bytes: those of 960 to 320 channels are. */
  private static final long LARGEST_KEPT = 48L << 20;

  /** Bytes of transformed filters that are kept for a rank. */
  private static final long KEPT_BYTES = 240L << 20;

  private final DnnContext context;
  private final AtomicLong budget = new AtomicLong(KEPT_BYTES);

  WinogradConv(DnnContext context) {
    this.context = context;
  }

  private record ProductKey(int tiles, int in, int out) {}

  /** Whether a convolution can be done this way, and is faster so. */
  boolean serves(
      Tensor x, ConvWeight w, Conv2dGeometry geometry, @Nullable Tensor residual, Tensor out) {
    Shape s = w.shape();
    return context.dtype() == DType.F32
        && s.dim(2) == WinogradTransform.TAPS
        && s.dim(3) == WinogradTransform.TAPS
        && geometry.stride() == 1
        && s.dim(0) >= FEWEST_CHANNELS
        && s.dim(1) >= FEWEST_CHANNELS
        && out.shape().dim(0) * out.shape().dim(1) * out.shape().dim(2) >= fewestPixels(s)
        && x.isDenseFrom(1)
        && out.isDenseFrom(1)
        && (residual == null || residual.isDenseFrom(1));
  }

  private static int fewestPixels(Shape weight) {
    boolean many = Math.min(weight.dim(0), weight.dim(1)) >= MANY_CHANNELS;
    return many && keepable(weight) ? FEWEST_PIXELS : FEWEST_PIXELS_ELSE;
  }

  private static boolean keepable(Shape weight) {
    return PRODUCTS * weight.dim(0) * weight.dim(1) * Float.BYTES <= LARGEST_KEPT;
  }

  /** See {@code Backend.conv2d}; all tensors are dense within a batch entry. */
  void conv2d(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    int outs = out.size(3);
    long most = Math.max(CHUNK, FILTER_BYTES / ((long) PRODUCTS * x.size(3) * Float.BYTES));
    int chunks = (int) ((outs + most - 1) / most);
    int chunk = ((outs + chunks - 1) / chunks + CHUNK - 1) / CHUNK * CHUNK;
    for (int from = 0; from < outs; from += chunk) {
      int n = Math.min(chunk, outs - from);
      Plan p = new Plan(x, w, geometry, channelBias, residual, out, from, n);
      p.bringFilters();
      context.workers().run(p.blocks, p::block);
    }
  }

  /** Sizes and memory of some of a call's output channels. */
  private final class Plan {
    final Tensor x;
    final ConvWeight weight;
    final Conv2dGeometry geometry;
    final @Nullable Tensor residual;
    final Tensor out;
    final int in;
    final int firstOut;
    final int outs;
    final int tilesDown;
    final int tilesAcross;
    final int tiles; // of a block
    final int blocks;
    final float[][] bias; // of each batch entry
    final BlockedLayout filterLayout;
    private long filters; // address

    Plan(
        Tensor x,
        ConvWeight weight,
        Conv2dGeometry geometry,
        @Nullable Tensor channelBias,
        @Nullable Tensor residual,
        Tensor out,
        int firstOut,
        int outs) {
      this.x = x;
      this.weight = weight;
      this.geometry = geometry;
      this.residual = residual;
      this.out = out;
      in = x.size(3);
      this.firstOut = firstOut;
      this.outs = outs;
      tilesDown = (out.size(1) + OUT - 1) / OUT;
      tilesAcross = (out.size(2) + OUT - 1) / OUT;
      int all = out.size(0) * tilesDown * tilesAcross;
      int most = (int) Math.max(FEWEST_TILES, BLOCK_ELEMENTS / ((long) PRODUCTS * (in + outs)));
      int wanted = Math.max((all + most - 1) / most, Math.min(context.threads(), all));
      tiles = (all + wanted - 1) / wanted;
      blocks = (all + tiles - 1) / tiles;
      bias = new float[out.size(0)][];
      for (int b = 0; b < bias.length; b++) {
        bias[b] = bias(channelBias, b);
      }
      filterLayout = product(context.ofWorker(0)).layout(1, 3);
      for (int i = 0; i < context.threads(); i++) { // here, so that places don't depend on timing
        transformed(context.ofWorker(i));
        products(context.ofWorker(i));
      }
    }

    private float[] bias(@Nullable Tensor channelBias, int entry) {
      float[] sum = new float[outs];
      weight.readBias(firstOut, sum, outs);
      if (channelBias != null) {
        float[] own = new float[outs];
        HostView.of(channelBias).readFloats(entry * channelBias.stride(0) + firstOut, own, outs);
        WinogradTransform.add(own, sum, outs);
      }
      return sum;
    }

    private SlabAllocator.Block floats(DnnContext c, DnnContext.Scratch use, long elements) {
      return c.scratch(use, elements * Float.BYTES);
    }

    private SlabAllocator.Block transformed(DnnContext own) {
      return floats(own, DnnContext.Scratch.TILES, (long) PRODUCTS * tiles * in);
    }

    private SlabAllocator.Block products(DnnContext own) {
      return floats(own, DnnContext.Scratch.TILE_PRODUCTS, (long) PRODUCTS * tiles * outs);
    }

    private DnnPrimitive product(DnnContext own) {
      ProductKey key = new ProductKey(tiles, in, outs);
      return own.primitive(key, () -> WinogradConv.product(key));
    }

    /** Takes the filters that the weight keeps, or transforms them. */
    void bringFilters() {
      Slab kept =
          keepable(weight.shape())
              ? weight.transformed(filterLayout, budget, s -> transformFilters(HostView.of(s)))
              : null;
      if (kept != null) {
        filters = kept.address();
        return;
      }
      SlabAllocator.Block own =
          floats(context, DnnContext.Scratch.FILTERS, filterLayout.elements());
      transformFilters(HostView.of(own, DType.F32));
      filters = own.address();
    }

    private void transformFilters(HostView target) {
      int[] productAt = filterLayout.offsets(0);
      int[] inAt = filterLayout.offsets(1);
      int[] outAt = filterLayout.offsets(2);
      int run = run(outAt, outs);
      if (filterLayout.elements() > (long) PRODUCTS * in * outs) {
        zero(target, filterLayout.elements());
      }
      ConvWeight.Reader reader = weight.reader(firstOut, outs);
      context
          .workers()
          .run(
              (in + CHANNELS - 1) / CHANNELS,
              (task, scratch) -> {
                int from = task * CHANNELS;
                int n = Math.min(CHANNELS, in - from);
                float[][][][] taps = new float[n][TAPS][TAPS][outs]; // by column, then row
                float[][][] rows = new float[n][TAPS][outs];
                float[][] done = new float[n][outs];
                for (int c = 0; c < n; c++) {
                  reader.read(from + c, taps[c]);
                }
                for (int i = 0; i < IN; i++) {
                  for (int c = 0; c < n; c++) {
                    for (int x = 0; x < TAPS; x++) {
                      WinogradTransform.filter(i, taps[c][x], rows[c][x], outs);
                    }
                  }
                  for (int j = 0; j < IN; j++) {
                    for (int c = 0; c < n; c++) {
                      WinogradTransform.filter(j, rows[c], done[c], outs);
                    }
                    for (int o = 0; o < outs; o += run) {
                      long at = productAt[i * IN + j] + outAt[o];
                      for (int c = 0; c < n; c++) {
                        target.write(
                            at + inAt[from + c], done[c], o, Math.min(run, outs - o), scratch);
                      }
                    }
                  }
                }
              });
    }

    private void zero(HostView target, long elements) {
      float[] zeros = new float[HostScratch.BLOCK];
      for (long i = 0; i < elements; i += zeros.length) {
        target.writeFloats(i, zeros, (int) Math.min(zeros.length, elements - i));
      }
    }

    /** Some tiles, from input to output. */
    void block(int index, HostScratch scratch) {
      DnnContext own = context.ofWorker(scratch.worker);
      int first = index * tiles;
      int n = Math.min(tiles, out.size(0) * tilesDown * tilesAcross - first);
      transform(first, n, HostView.of(transformed(own), DType.F32), scratch);
      own.run(product(own), transformed(own).address(), filters, products(own).address());
      finish(first, n, HostView.of(products(own), DType.F32), scratch);
    }

    private void transform(int first, int n, HostView target, HostScratch scratch) {
      HostView source = HostView.of(x);
      int group = Math.max(1, VECTOR / in);
      float[][][] tile = new float[IN][IN][group * in]; // by column, then row
      float[][] rows = new float[IN][group * in];
      float[] one = new float[group * in];
      for (int t = 0; t < n; t += group) {
        int m = Math.min(group, n - t);
        for (int k = 0; k < m; k++) {
          read(source, first + t + k, tile, k * in, scratch);
        }
        for (int i = 0; i < IN; i++) {
          for (int x = 0; x < IN; x++) {
            WinogradTransform.input(i, tile[x], rows[x], m * in);
          }
          for (int j = 0; j < IN; j++) {
            WinogradTransform.input(j, rows, one, m * in);
            target.writeFloats(((long) (i * IN + j) * tiles + t) * in, one, m * in);
          }
        }
      }
      Arrays.fill(one, 0);
      for (int t = n; t < tiles; t++) {
        for (int i = 0; i < PRODUCTS; i++) {
          target.writeFloats(((long) i * tiles + t) * in, one, in);
        }
      }
    }

    /** Reads an input tile, zeros where it lies outside. */
    private void read(HostView source, int index, float[][][] tile, int at, HostScratch scratch) {
      int b = entry(index);
      int top = index / tilesAcross % tilesDown * OUT - geometry.top();
      int left = index % tilesAcross * OUT - geometry.left();
      for (int i = 0; i < IN; i++) {
        int y = top + i;
        long row = b * x.stride(0) + y * x.stride(1);
        for (int j = 0; j < IN; j++) {
          int column = left + j;
          if (y < 0 || y >= x.size(1) || column < 0 || column >= x.size(2)) {
            Arrays.fill(tile[j][i], at, at + in, 0);
          } else {
            source.read(row + (long) column * in, tile[j][i], at, in, scratch);
          }
        }
      }
    }

    private void finish(int first, int n, HostView source, HostScratch scratch) {
      HostView target = HostView.of(out);
      int group = Math.max(1, VECTOR / outs);
      float[][] products = new float[IN][group * outs];
      float[][][] rows = new float[OUT][IN][group * outs]; // by column, then row
      float[] zeros = new float[group * outs];
      float[] base = new float[group * outs];
      float[] one = new float[group * outs];
      for (int t = 0; t < n; t += group) {
        int m = Math.min(group, n - t);
        for (int i = 0; i < IN; i++) {
          for (int j = 0; j < IN; j++) {
            source.read(
                ((long) (i * IN + j) * tiles + t) * outs, products[j], 0, m * outs, scratch);
          }
          for (int x = 0; x < OUT; x++) {
            WinogradTransform.output(x, products, zeros, rows[x][i], m * outs);
          }
        }
        for (int y = 0; y < OUT; y++) {
          for (int x = 0; x < OUT; x++) {
            for (int k = 0; k < m; k++) {
              System.arraycopy(bias[entry(first + t + k)], 0, base, k * outs, outs);
            }
            if (residual != null) {
              for (int k = 0; k < m; k++) {
                long at = place(residual, first + t + k, y, x);
                if (at >= 0) {
                  HostView.of(residual).read(at, one, k * outs, outs, scratch);
                }
              }
              WinogradTransform.add(one, base, m * outs);
            }
            WinogradTransform.output(y, rows[x], base, one, m * outs);
            for (int k = 0; k < m; k++) {
              long at = place(out, first + t + k, y, x);
              if (at >= 0) {
                target.write(at, one, k * outs, outs, scratch);
              }
            }
          }
        }
      }
    }

    private int entry(int tile) {
      return tile / (tilesDown * tilesAcross);
    }

    /** First element of a tile's output pixel, or -1 where it lies outside. */
    private long place(Tensor of, int index, int y, int x) {
      int b = entry(index);
      int row = index / tilesAcross % tilesDown * OUT + y;
      int column = index % tilesAcross * OUT + x;
      return row < of.size(1) && column < of.size(2)
          ? b * of.stride(0) + row * of.stride(1) + column * of.stride(2) + firstOut
          : -1;
    }
  }

  /** How many neighbours lie behind each other, from every multiple of that number on. */
  static int run(int[] places, int n) {
    int run = 1;
    while (run < n && places[run] == places[0] + run) {
      run++;
    }
    for (int i = 0; i < n; i++) {
      if (places[i] != places[i / run * run] + i % run) {
        return 1;
      }
    }
    return run;
  }

  private static DnnPrimitive product(ProductKey k) {
    try (Attr attr = new Attr();
        Md a = Md.dense(DType.F32, PRODUCTS, k.tiles, k.in);
        Md b = Md.any(DType.F32, PRODUCTS, k.in, k.out);
        Md c = Md.dense(DType.F32, PRODUCTS, k.tiles, k.out)) {
      dnnl_memory_desc noBias = new dnnl_memory_desc();
      return new DnnPrimitive(
          "products of tiles " + k,
          attr,
          (pd, at) ->
              dnnl_matmul_primitive_desc_create(
                  pd, OneDnn.engine(), a.handle(), b.handle(), noBias, c.handle(), at),
          DNNL_ARG_SRC,
          DNNL_ARG_WEIGHTS,
          DNNL_ARG_DST);
    }
  }
}
