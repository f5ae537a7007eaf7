package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_get_memory_desc;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_set_data_handle;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_next_impl;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_exec_arg_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_impl_info_str;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_scratchpad_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_success;

import java.util.function.Predicate;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A primitive with its execution arguments, made once for a shape and run on any addresses: running
 * it makes no native object.
 */
final class DnnPrimitive implements AutoCloseable {

  /** Makes a primitive descriptor with the given attributes. */
  interface Description {
    int create(dnnl_primitive_desc out, dnnl_primitive_attr attr);
  }

  /** No fast implementation for what was asked. */
  static final class NotFastException extends UnsupportedOperationException {
    private static final long serialVersionUID = 1L;

    NotFastException(String message) {
      super(message);
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(DnnPrimitive.class);

  private final String what;
  private final String implementation;
  private final dnnl_primitive handle = new dnnl_primitive();
  private final dnnl_memory[] memories;
  private final dnnl_exec_arg_t arguments;
  private final long scratchBytes;
  private final Address pointer = new Address();
  private boolean closed;

  /**
   * @param what for messages: the operation and its shapes
   * @param arguments execution arguments, in the order in which {@link #execute} gets addresses
   */
  DnnPrimitive(String what, Attr attr, Description description, int... arguments) {
    this.what = what;
    dnnl_primitive_desc desc = describe(what, attr, description, true);
    try {
      implementation = implementation(desc);
      dnnl_memory_desc scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
      scratchBytes = scratch == null ? 0 : dnnl_memory_desc_get_size(scratch);
      memories = new dnnl_memory[arguments.length + 1];
      this.arguments = new dnnl_exec_arg_t(memories.length);
      for (int i = 0; i < memories.length; i++) {
        boolean last = i == arguments.length;
        int id = last ? DNNL_ARG_SCRATCHPAD : arguments[i];
        dnnl_memory_desc md =
            last ? scratch : dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, id);
        if (md == null) {
          throw new IllegalArgumentException(what + " has no execution argument " + id);
        }
        memories[i] = new dnnl_memory();
        OneDnn.check(
            dnnl_memory_create(memories[i], md, OneDnn.engine(), new Address(0)),
            "create an argument of " + what);
        this.arguments.position(i).arg(id).memory(memories[i]);
      }
      this.arguments.position(0);
      OneDnn.check(dnnl_primitive_create(handle, desc), "create " + what);
    } finally {
      dnnl_primitive_desc_destroy(desc);
    }
  }

  /**
   * The first implementation that is fast: neither oneDNN's reference code nor its old matrix
   * multiplication, which version 3.11 is known to write out of bounds with.
   *
   * @param slowToo whether oneDNN's reference code, which is slow and right, serves where there is
   *     no fast one
   * @throws NotFastException where there is none
   */
  static dnnl_primitive_desc describe(
      String what, Attr attr, Description description, boolean slowToo) {
    try {
      return find(what, attr, description, DnnPrimitive::isFast);
    } catch (NotFastException e) {
      if (!slowToo) {
        throw e;
      }
      LOG.debug("{}", e.getMessage());
      return find(what, attr, description, i -> i.startsWith("ref"));
    }
  }

  private static dnnl_primitive_desc find(
      String what, Attr attr, Description description, Predicate<String> wanted) {
    dnnl_primitive_desc desc = new dnnl_primitive_desc();
    OneDnn.check(description.create(desc, attr.handle()), "describe " + what);
    StringBuilder seen = new StringBuilder();
    while (true) {
      String implementation = implementation(desc);
      if (wanted.test(implementation)) {
        return desc;
      }
      seen.append(seen.length() == 0 ? "" : ", ").append(implementation);
      if (dnnl_primitive_desc_next_impl(desc) != dnnl_success) {
        dnnl_primitive_desc_destroy(desc);
        throw new NotFastException("oneDNN has only " + seen + " for " + what);
      }
    }
  }

  private static boolean isFast(String implementation) {
    return !implementation.startsWith("ref") && !implementation.contains("gemm:");
  }

  private static String implementation(dnnl_primitive_desc desc) {
    try (PointerPointer<Pointer> out = new PointerPointer<>(1)) {
      OneDnn.check(
          dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, out),
          "query an implementation's name");
      return new BytePointer(out.get(0)).getString();
    }
  }

  /** Whether the code that runs is made for this machine. */
  boolean isFast() {
    return isFast(implementation);
  }

  /** What oneDNN calls the code that runs. */
  String implementation() {
    return implementation;
  }

  String what() {
    return what;
  }

  /**
   * How an argument is to lie in memory.
   *
   * @param index the argument's place among the constructor's
   * @param rank its number of dimensions
   */
  BlockedLayout layout(int index, int rank) {
    dnnl_memory_desc md = new dnnl_memory_desc();
    OneDnn.check(dnnl_memory_get_memory_desc(memories[index], md), "query an argument of " + what);
    return BlockedLayout.of(md, rank);
  }

  long scratchBytes() {
    return scratchBytes;
  }

  /** Runs on these addresses, given in the order of the constructor's arguments. */
  void execute(dnnl_stream stream, long scratch, long... addresses) {
    for (int i = 0; i < addresses.length; i++) {
      dnnl_memory_set_data_handle(memories[i], pointer.at(addresses[i]));
    }
    dnnl_memory_set_data_handle(memories[addresses.length], pointer.at(scratch));
    int status = dnnl_primitive_execute(handle, stream, memories.length, arguments);
    if (status != dnnl_success) {
      OneDnn.check(status, "run " + what);
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    dnnl_primitive_destroy(handle);
    for (dnnl_memory m : memories) {
      dnnl_memory_destroy(m);
    }
    arguments.close();
  }
}
