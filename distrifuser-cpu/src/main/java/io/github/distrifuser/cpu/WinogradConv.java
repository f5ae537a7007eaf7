package io.github.distrifuser.cpu;

import static io.github.distrifuser.cpu.WinogradTransform.IN;
import static io.github.distrifuser.cpu.WinogradTransform.OUT;
import static io.github.distrifuser.cpu.WinogradTransform.PRODUCTS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/**
 * Convolutions of 3 x 3 in float32 by {@link WinogradTransform}: tiles are transformed, multiplied
 * with the transformed filters in 36 matrix products, and transformed back. Each worker takes some
 * tiles at a time, so that what it makes of them stays in the caches. Filters are transformed anew
 * in each call, for four times the weights' memory in float32 would not be worth the little time
 * that it takes for a large picture.
 */
final class WinogradConv {
  /** Floats of transformed tiles, before and after the products, that a worker holds at a time. */
  private static final long BLOCK_ELEMENTS = 2L << 20;

  /** Fewest tiles of a matrix product that is still fast. */
  private static final int FEWEST_TILES = 48;

  private static final int FEWEST_CHANNELS = 32;
  private static final int FEWEST_PIXELS = 1024;

  private final DnnContext context;

  WinogradConv(DnnContext context) {
    this.context = context;
  }

  private record ProductKey(int tiles, int in, int out) {}

  /** Whether a convolution can be done this way, and is faster so. */
  boolean serves(
      Tensor x, ConvWeight w, Conv2dGeometry geometry, @Nullable Tensor residual, Tensor out) {
    Shape s = w.shape();
    return context.dtype() == DType.F32
        && s.dim(2) == 3
        && s.dim(3) == 3
        && geometry.stride() == 1
        && s.dim(0) >= FEWEST_CHANNELS
        && s.dim(1) >= FEWEST_CHANNELS
        && out.shape().dim(0) * out.shape().dim(1) * out.shape().dim(2) >= FEWEST_PIXELS
        && x.isDenseFrom(1)
        && out.isDenseFrom(1)
        && (residual == null || residual.isDenseFrom(1));
  }

  /** See {@code Backend.conv2d}; all tensors are dense within a batch entry. */
  void conv2d(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    Plan p = new Plan(x, w, geometry, channelBias, residual, out);
    p.transformFilters();
    context.workers().run(p.blocks, p::block);
  }

  /** One call's sizes and memory. */
  private final class Plan {
    final Tensor x;
    final ConvWeight weight;
    final Conv2dGeometry geometry;
    final @Nullable Tensor residual;
    final Tensor out;
    final int in;
    final int outs;
    final int tilesDown;
    final int tilesAcross;
    final int tiles; // of a block
    final int blocks;
    final float[][] bias; // of each batch entry, OUT times in a row
    final BlockedLayout filterLayout;
    final SlabAllocator.Block filters;

    Plan(
        Tensor x,
        ConvWeight weight,
        Conv2dGeometry geometry,
        @Nullable Tensor channelBias,
        @Nullable Tensor residual,
        Tensor out) {
      this.x = x;
      this.weight = weight;
      this.geometry = geometry;
      this.residual = residual;
      this.out = out;
      in = x.size(3);
      outs = out.size(3);
      tilesDown = (out.size(1) + OUT - 1) / OUT;
      tilesAcross = (out.size(2) + OUT - 1) / OUT;
      int all = out.size(0) * tilesDown * tilesAcross;
      int most =
          (int) Math.max(FEWEST_TILES, BLOCK_ELEMENTS / ((long) PRODUCTS * (in + outs)));
      int wanted = Math.max((all + most - 1) / most, Math.min(context.threads(), all));
      tiles = (all + wanted - 1) / wanted;
      blocks = (all + tiles - 1) / tiles;
      bias = new float[out.size(0)][];
      for (int b = 0; b < bias.length; b++) {
        bias[b] = bias(channelBias, b);
      }
      filterLayout = product(context.ofWorker(0)).layout(1, 3);
      filters = floats(context, DnnContext.Scratch.FILTERS, filterLayout.elements());
      for (int i = 0; i < context.threads(); i++) { // here, so that places don't depend on timing
        transformed(context.ofWorker(i));
        products(context.ofWorker(i));
      }
    }

    private float[] bias(@Nullable Tensor channelBias, int entry) {
      float[] four = new float[OUT * outs];
      weight.readBias(0, four, outs);
      if (channelBias != null) {
        float[] own = new float[outs];
        HostView.of(channelBias)
            .readFloats((long) entry * channelBias.stride(0), own, outs);
        for (int c = 0; c < outs; c++) {
          four[c] += own[c];
        }
      }
      for (int i = 1; i < OUT; i++) {
        System.arraycopy(four, 0, four, i * outs, outs);
      }
      return four;
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

    void transformFilters() {
      HostView target = HostView.of(filters, DType.F32);
      int[] productAt = filterLayout.offsets(0);
      int[] inAt = filterLayout.offsets(1);
      int[] outAt = filterLayout.offsets(2);
      int run = run(outAt, outs);
      if (filterLayout.elements() > (long) PRODUCTS * in * outs) {
        zero(target, filterLayout.elements());
      }
      ConvWeight.Reader reader = weight.reader();
      context
          .workers()
          .run(
              in,
              (c, scratch) -> {
                float[] taps = new float[9 * outs];
                float[] rows = new float[3 * IN * outs];
                float[] one = new float[outs];
                reader.read(c, taps);
                // down the columns, then along the rows
                for (int i = 0; i < IN; i++) {
                  WinogradTransform.filter(
                      i, taps, 0, 3 * outs, rows, i * 3 * outs, 3 * outs);
                }
                for (int i = 0; i < IN; i++) {
                  for (int j = 0; j < IN; j++) {
                    WinogradTransform.filter(j, rows, i * 3 * outs, outs, one, 0, outs);
                    long at = productAt[i * IN + j] + inAt[c];
                    for (int o = 0; o < outs; o += run) {
                      target.write(at + outAt[o], one, o, Math.min(run, outs - o), scratch);
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
      HostView source = HostView.of(x);
      HostView v = HostView.of(transformed(own), DType.F32);
      float[] tile = new float[PRODUCTS * in];
      float[] columns = new float[PRODUCTS * in];
      float[] one = new float[in];
      for (int t = 0; t < n; t++) {
        read(source, first + t, tile, scratch);
        transformTile(tile, columns, one, v, t);
      }
      Arrays.fill(one, 0);
      for (int t = n; t < tiles; t++) {
        for (int i = 0; i < PRODUCTS; i++) {
          v.writeFloats(((long) i * tiles + t) * in, one, in);
        }
      }
      own.run(
          product(own), transformed(own).address(), filters.address(), products(own).address());
      HostView m = HostView.of(products(own), DType.F32);
      HostView target = HostView.of(out);
      float[] all = new float[PRODUCTS * outs];
      float[] rows = new float[IN * OUT * outs];
      float[] line = new float[OUT * outs];
      float[] other = new float[OUT * outs];
      for (int t = 0; t < n; t++) {
        for (int i = 0; i < PRODUCTS; i++) {
          m.read(((long) i * tiles + t) * outs, all, i * outs, outs, scratch);
        }
        Arrays.fill(rows, 0);
        for (int i = 0; i < IN; i++) {
          for (int j = 0; j < OUT; j++) {
            WinogradTransform.addOutput(
                j, all, i * IN * outs, outs, rows, (i * OUT + j) * outs, outs);
          }
        }
        write(first + t, rows, line, other, target, scratch);
      }
    }

    /** Reads an input tile, zeros where it lies outside. */
    private void read(HostView source, int index, float[] tile, HostScratch scratch) {
      int b = index / (tilesDown * tilesAcross);
      int top = index / tilesAcross % tilesDown * OUT - geometry.top();
      int left = index % tilesAcross * OUT - geometry.left();
      int from = Math.max(0, left);
      int to = Math.min(x.size(2), left + IN);
      for (int i = 0; i < IN; i++) {
        int y = top + i;
        int at = i * IN * in;
        if (y < 0 || y >= x.size(1) || from >= to) {
          Arrays.fill(tile, at, at + IN * in, 0);
          continue;
        }
        Arrays.fill(tile, at, at + (from - left) * in, 0);
        source.read(
            b * x.stride(0) + y * x.stride(1) + (long) from * in,
            tile,
            at + (from - left) * in,
            (to - from) * in,
            scratch);
        Arrays.fill(tile, at + (to - left) * in, at + IN * in, 0);
      }
    }

    private void transformTile(float[] tile, float[] columns, float[] one, HostView v, int t) {
      int row = IN * in;
      for (int i = 0; i < IN; i++) {
        WinogradTransform.input(i, tile, 0, row, columns, i * row, row);
      }
      for (int i = 0; i < IN; i++) {
        for (int j = 0; j < IN; j++) {
          WinogradTransform.input(j, columns, i * row, in, one, 0, in);
          v.writeFloats(((long) (i * IN + j) * tiles + t) * in, one, in);
        }
      }
    }

    /** The second half of the way back, and what is added to it. */
    private void write(int index, float[] rows, float[] line, float[] other, HostView target, HostScratch scratch) {
      int b = index / (tilesDown * tilesAcross);
      int top = index / tilesAcross % tilesDown * OUT;
      int left = index % tilesAcross * OUT;
      int n = Math.min(OUT, out.size(2) - left) * outs;
      for (int i = 0; i < OUT && top + i < out.size(1); i++) {
        System.arraycopy(bias[b], 0, line, 0, n);
        if (residual != null) {
          HostView.of(residual)
              .read(
                  b * residual.stride(0) + (top + i) * residual.stride(1) + (long) left * outs,
                  other,
                  0,
                  n,
                  scratch);
          add(line, other, n);
        }
        WinogradTransform.addOutput(i, rows, 0, OUT * outs, line, 0, n);
        target.writeFloats(
            b * out.stride(0) + (top + i) * out.stride(1) + (long) left * outs, line, n);
      }
    }
  }

  private static void add(float[] a, float[] b, int n) {
    for (int i = 0; i < n; i++) {
      a[i] += b[i];
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
