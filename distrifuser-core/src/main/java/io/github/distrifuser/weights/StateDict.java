package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A component's weights by name. It remembers which were asked for, so that left-over tensors can
 * be reported, and checks shapes, types and (unless told otherwise) that every number is finite.
 *
 * <p>Views made by {@link #withPrefix} and {@link #renamed} share the memory of what was used, the
 * options and the files with the dict they came from; closing any of them closes the files. Tensors
 * are not kept here: dropping the {@link WeightTensor} lets the mapped pages go (see {@link
 * SafetensorsFile}). Usable by several threads at once.
 */
public final class StateDict implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StateDict.class);
  private static final int NAMED = 20;

  private final Root root;
  private final Map<String, Entry> entries; // by the full name they are looked up by
  private final String prefix;

  private StateDict(Root root, Map<String, Entry> entries, String prefix) {
    this.root = root;
    this.entries = entries;
    this.prefix = prefix;
  }

  /** All tensors of a file; closing the dict closes the file. */
  public static StateDict of(SafetensorsFile file) {
    Builder b = new Builder(file.source());
    b.own(file);
    file.names().forEach(n -> b.add(file, n));
    return b.build();
  }

  /**
   * Tensors in memory.
   *
   * @param source what messages call them
   */
  public static StateDict of(String source, Map<String, WeightTensor> tensors) {
    Builder b = new Builder(source);
    tensors.forEach(
        (name, t) -> b.put(name, new Entry(name, t.source(), t.data().remaining(), () -> t)));
    return b.build();
  }

  /**
   * A dict without a file: {@link #get(String, long...)} makes each tensor when it is asked for.
   * {@link #has} is false and {@link #optional} null for every name, so that what a configuration
   * leaves open is absent.
   *
   * @param source what messages call it
   */
  public static StateDict generated(String source, WeightGenerator generator) {
    return new StateDict(new Root(source, List.of(), generator), Map.of(), "");
  }

  /** {@link #generated} with {@link RandomWeights} of this seed. */
  public static StateDict random(String source, long seed) {
    return generated(source, new RandomWeights(seed));
  }

  /** What messages call this dict: a file, or the index of several. */
  public String source() {
    return root.source;
  }

  /** What {@link #withPrefix} added up to, ending in a dot; empty for the whole. */
  public String prefix() {
    return prefix;
  }

  /** State-dict key of the module that this view is of, without a dot at its end. */
  public String path() {
    return prefix.isEmpty() ? "" : prefix.substring(0, prefix.length() - 1);
  }

  /** True where tensors are made on demand. */
  public boolean isGenerated() {
    return root.generator != null;
  }

  /**
   * A tensor of the expected shape, marked as used. Where a matrix is expected, a 1 x 1 convolution
   * serves, and the other way round; the result has the expected shape.
   *
   * @param name name below the prefix
   * @param expected the shape
   * @throws WeightsException if it is missing, has another shape, is not F32, F16 or BF16, or holds
   *     a NaN or an infinity
   */
  public WeightTensor get(String name, long... expected) {
    String full = prefix + name;
    Shape shape = Shape.of(expected);
    if (root.generator != null) {
      WeightTensor made = root.generator.make(root.source, full, shape);
      root.onUse.accept(made.data().remaining());
      return made;
    }
    WeightTensor t = get(name);
    if (t.shape().equals(shape)) {
      return t;
    }
    if (pointwise(t.shape(), shape) || pointwise(shape, t.shape())) {
      return new WeightTensor(t.name(), t.source(), t.dtype(), shape, t.data());
    }
    throw new WeightsException(
        t.source(), full, "expected %s, found %s".formatted(shape, t.shape()));
  }

  /**
   * A tensor of whatever shape it has, marked as used.
   *
   * @param name name below the prefix
   * @throws WeightsException if it is missing, is not F32, F16 or BF16, or holds a NaN or an
   *     infinity; or if this dict is generated
   */
  public WeightTensor get(String name) {
    String full = prefix + name;
    if (root.generator != null) {
      throw new WeightsException(
          root.source, full, "generated weights are made for a shape, and none was given");
    }
    Entry e = entries.get(full);
    if (e == null) {
      throw new WeightsException(
          root.source, full, "missing (%d tensors are there)".formatted(entries.size()));
    }
    WeightTensor t = e.loader.load();
    use(e);
    if (!t.name().equals(full)) {
      t = new WeightTensor(full, t.source(), t.dtype(), t.shape(), t.data());
    }
    if (!t.dtype().isFloat()) {
      throw new WeightsException(t.source(), full, "expected F32, F16 or BF16, found " + t.dtype());
    }
    if (root.checkFinite && !e.finite) {
      checkFinite(t);
      e.finite = true;
    }
    return t;
  }

  /** As {@link #get(String, long...)}, but null where there is no such tensor. */
  public @Nullable WeightTensor optional(String name, long... expected) {
    return has(name) ? get(name, expected) : null;
  }

  /** As {@link #get(String)}, but null where there is no such tensor. */
  public @Nullable WeightTensor optional(String name) {
    return has(name) ? get(name) : null;
  }

  /** True if there is such a tensor below the prefix; does not mark it as used. */
  public boolean has(String name) {
    return entries.containsKey(prefix + name);
  }

  /** Names below the prefix, relative to it. */
  public Set<String> names() {
    return entries.keySet().stream()
        .filter(n -> n.startsWith(prefix))
        .map(n -> n.substring(prefix.length()))
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  /**
   * A view of what lies below a module.
   *
   * @param module relative to this view's prefix, as in {@code down_blocks.0}; a dot is added where
   *     there is none
   */
  public StateDict withPrefix(String module) {
    String dotted = module.isEmpty() || module.endsWith(".") ? module : module + ".";
    return new StateDict(root, entries, prefix + dotted);
  }

  /**
   * A view in which tensors have other names. Tensors get the new name too. Ready-made rules are in
   * {@link Renames}. No effect on a generated dict.
   *
   * @param rule the new name for a full name; the name itself where it should stay
   * @throws WeightsException if two tensors get the same name
   */
  public StateDict renamed(UnaryOperator<String> rule) {
    Map<String, Entry> out = new LinkedHashMap<>();
    entries.forEach(
        (name, e) -> {
          String to = rule.apply(name);
          Entry other = out.putIfAbsent(to, e);
          if (other != null) {
            throw new WeightsException(
                e.source,
                e.fileName,
                "has the same meaning (%s) as %s".formatted(to, other.fileName));
          }
        });
    return new StateDict(root, out, prefix);
  }

  /** As {@link #renamed(UnaryOperator)}: full names to new ones; others stay. */
  public StateDict renamed(Map<String, String> names) {
    return renamed(n -> names.getOrDefault(n, n));
  }

  /**
   * Whether {@link #get} looks for NaN and infinity, once per tensor; on at first. Holds for all
   * views.
   *
   * @return this
   */
  public StateDict checkFinite(boolean on) {
    root.checkFinite = on;
    return this;
  }

  private void use(Entry e) {
    boolean first;
    synchronized (e) {
      first = !e.used;
      e.used = true;
    }
    if (first) {
      root.onUse.accept(e.bytes);
    }
  }

  /** Bytes of all tensors below the prefix; 0 for a generated dict, whose tensors are not known. */
  public long bytes() {
    return entries.entrySet().stream()
        .filter(e -> e.getKey().startsWith(prefix))
        .mapToLong(e -> e.getValue().bytes)
        .sum();
  }

  /**
   * Tells somebody the bytes of each tensor when it is used for the first time, on the thread that
   * uses it. Holds for all views; replaces who was told before. A generated dict tells of each
   * tensor that it makes.
   */
  public void onUse(LongConsumer listener) {
    root.onUse = listener;
  }

  /** Marks a tensor as used, if it is there: one that is known and not needed. */
  public void ignore(String name) {
    Entry e = entries.get(prefix + name);
    if (e != null) {
      use(e);
    }
  }

  /**
   * Full names below the prefix, as they are in the file, of tensors that nobody asked for. Buffers
   * that are no weights ({@code position_ids}) are left out.
   */
  public Set<String> unused() {
    Set<String> out = new LinkedHashSet<>();
    entries.forEach(
        (name, e) -> {
          if (name.startsWith(prefix) && !e.used && !isBuffer(name)) {
            out.add(e.fileName);
          }
        });
    return out;
  }

  /** Logs one warning that names what {@link #unused} gives; nothing where that is empty. */
  public void warnUnused() {
    Set<String> left = unused();
    if (!left.isEmpty()) {
      String some = left.stream().limit(NAMED).collect(Collectors.joining(", "));
      String more = left.size() > NAMED ? " and %d more".formatted(left.size() - NAMED) : "";
      LOG.warn("{}: {} tensors were not used: {}{}", root.source, left.size(), some, more);
    }
  }

  /** Closes the files; tensors handed out stay usable. Idempotent. */
  @Override
  public void close() {
    root.files.forEach(SafetensorsFile::close);
  }

  private static boolean isBuffer(String name) {
    return name.equals("position_ids") || name.endsWith(".position_ids");
  }

  private static boolean pointwise(Shape conv, Shape linear) {
    return conv.rank() == 4
        && linear.rank() == 2
        && conv.dim(2) == 1
        && conv.dim(3) == 1
        && conv.dim(0) == linear.dim(0)
        && conv.dim(1) == linear.dim(1);
  }

  private static void checkFinite(WeightTensor t) {
    long i = t.firstNonFinite();
    if (i >= 0) {
      throw new WeightsException(
          t.source(),
          t.name(),
          "element %d of %d is %s, expected finite numbers"
              .formatted(i, t.shape().elements(), t.at(i)));
    }
  }

  /** What all views share. */
  private static final class Root {
    final String source;
    final List<SafetensorsFile> files;
    final @Nullable WeightGenerator generator;
    volatile boolean checkFinite = true;
    volatile LongConsumer onUse = bytes -> {};

    Root(String source, List<SafetensorsFile> files, @Nullable WeightGenerator generator) {
      this.source = source;
      this.files = files;
      this.generator = generator;
    }
  }

  @FunctionalInterface
  private interface Loader {
    WeightTensor load();
  }

  private static final class Entry {
    final String fileName; // the tensor's name in its file
    final String source;
    final long bytes;
    final Loader loader;
    volatile boolean used;
    volatile boolean finite;

    Entry(String fileName, String source, long bytes, Loader loader) {
      this.fileName = fileName;
      this.source = source;
      this.bytes = bytes;
      this.loader = loader;
    }
  }

  /** Joins files. */
  static final class Builder {
    private final String source;
    private final List<SafetensorsFile> files = new ArrayList<>();
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    Builder(String source) {
      this.source = source;
    }

    void own(SafetensorsFile file) {
      files.add(file);
    }

    void add(SafetensorsFile file, String name) {
      put(name, new Entry(name, file.source(), file.info(name).bytes(), () -> file.get(name)));
    }

    void put(String name, Entry e) {
      Entry other = entries.putIfAbsent(name, e);
      if (other != null) {
        throw new WeightsException(
            source, name, "in both %s and %s".formatted(other.source, e.source));
      }
    }

    StateDict build() {
      return new StateDict(new Root(source, List.copyOf(files), null), entries, "");
    }
  }
}
