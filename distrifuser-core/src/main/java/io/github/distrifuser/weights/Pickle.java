package io.github.distrifuser.weights;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads what Python's pickle (protocols 2 to 5) wrote, without running anything: the opcodes that
 * lists, tuples, dicts, strings, numbers and tensors need, and of functions and classes only those
 * that the {@link Meanings} know.
 *
 * <p>Python's None is null, a tuple or list is a List, a dict a Map.
 */
final class Pickle {
  private static final Object MARK = new Object();
  private static final int DEEPEST = 1_000_000;

  /** What names and persistent ids in a pickle stand for. */
  interface Meanings {
    /**
     * A function or class by its name, as something to hand to {@link #call}.
     *
     * @throws WeightsException where it is not among those that are known
     */
    Object global(String module, String name);

    /** The value of a call. */
    @Nullable Object call(Object function, List<@Nullable Object> args);

    /** What a persistent id stands for: a storage. */
    @Nullable Object persistent(@Nullable Object id);

    /** Gives an object its state. */
    void setState(@Nullable Object object, @Nullable Object state);
  }

  private final String source;
  private final ByteBuffer in;
  private final Meanings meanings;
  private final List<@Nullable Object> stack = new ArrayList<>();
  private final Map<Integer, @Nullable Object> memo = new HashMap<>();

  private Pickle(String source, ByteBuffer in, Meanings meanings) {
    this.source = source;
    this.in = in;
    this.meanings = meanings;
  }

  /**
   * Reads one pickle and leaves the buffer behind its end.
   *
   * @param source what messages call it
   * @throws WeightsException where it is cut short, damaged, or asks for what is not allowed
   */
  static @Nullable Object read(String source, ByteBuffer in, Meanings meanings) {
    ByteOrder before = in.order();
    in.order(ByteOrder.LITTLE_ENDIAN);
    try {
      return new Pickle(source, in, meanings).run();
    } catch (java.nio.BufferUnderflowException e) {
      throw new WeightsException(source, "is cut short", e);
    } catch (IndexOutOfBoundsException | ClassCastException | NullPointerException e) {
      throw new WeightsException(source, "is damaged: " + e, e);
    } finally {
      in.order(before);
    }
  }

  private @Nullable Object run() {
    while (true) {
      int op = in.get() & 0xff;
      if (op == '.') {
        return pop();
      }
      step(op);
      if (stack.size() > DEEPEST) {
        throw new WeightsException(source, "is damaged: its stack does not end");
      }
    }
  }

  private void step(int op) {
    switch (op) {
      case 0x80 -> in.get(); // protocol
      case 0x95 -> in.getLong(); // frame
      case '(' -> push(MARK);
      case '0' -> pop();
      case 'N' -> push(null);
      case 0x88 -> push(true);
      case 0x89 -> push(false);
      case 'K' -> push((long) (in.get() & 0xff));
      case 'M' -> push((long) (in.getShort() & 0xffff));
      case 'J' -> push((long) in.getInt());
      case 0x8a -> push(number(in.get() & 0xff));
      case 'G' -> push(ByteBuffer.wrap(bytes(8)).getDouble());
      case 'U', 0x8c, 'C' -> push(text(in.get() & 0xff));
      case 'T', 'X', 'B' -> push(text(in.getInt()));
      case 'S', 'V' -> push(unquoted(line()));
      case 'I' -> push(integer(line()));
      case ']', ')' -> push(new ArrayList<@Nullable Object>());
      case '}' -> push(new LinkedHashMap<@Nullable Object, @Nullable Object>());
      case 'l', 't' -> push(toMark());
      case 0x85 -> push(top(1));
      case 0x86 -> push(top(2));
      case 0x87 -> push(top(3));
      case 'd' -> {
        List<@Nullable Object> items = toMark();
        Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
        put(map, items);
        push(map);
      }
      case 'a' -> {
        Object item = pop();
        list(peek()).add(item);
      }
      case 'e' -> {
        List<@Nullable Object> items = toMark();
        list(peek()).addAll(items);
      }
      case 's' -> {
        List<@Nullable Object> pair = top(2);
        put(map(peek()), pair);
      }
      case 'u' -> {
        List<@Nullable Object> items = toMark();
        put(map(peek()), items);
      }
      case 'q' -> memo.put(in.get() & 0xff, peek());
      case 'r' -> memo.put(in.getInt(), peek());
      case 0x94 -> memo.put(memo.size(), peek());
      case 'h' -> push(remembered(in.get() & 0xff));
      case 'j' -> push(remembered(in.getInt()));
      case 'c' -> push(meanings.global(line(), line()));
      case 0x93 -> {
        List<@Nullable Object> names = top(2);
        push(meanings.global((String) need(names.get(0)), (String) need(names.get(1))));
      }
      case 'R', 0x81 -> {
        List<@Nullable Object> call = top(2);
        push(meanings.call(need(call.get(0)), list(call.get(1))));
      }
      case 'b' -> {
        Object state = pop();
        meanings.setState(peek(), state);
      }
      case 'Q' -> push(meanings.persistent(pop()));
      default ->
          throw new WeightsException(
              source, "is damaged, or no pickle of weights: opcode 0x%02x".formatted(op));
    }
  }

  // --- the stack ---

  private void push(@Nullable Object o) {
    stack.add(o);
  }

  private @Nullable Object pop() {
    return stack.remove(stack.size() - 1);
  }

  private @Nullable Object peek() {
    return stack.get(stack.size() - 1);
  }

  private List<@Nullable Object> top(int n) {
    List<@Nullable Object> view = stack.subList(stack.size() - n, stack.size());
    List<@Nullable Object> items = new ArrayList<>(view);
    view.clear();
    return items;
  }

  private List<@Nullable Object> toMark() {
    int mark = stack.lastIndexOf(MARK);
    List<@Nullable Object> items = top(stack.size() - 1 - mark);
    pop();
    return items;
  }

  private @Nullable Object remembered(int key) {
    if (!memo.containsKey(key)) {
      throw new WeightsException(source, "is damaged: it refers to what it never stored");
    }
    return memo.get(key);
  }

  private static Object need(@Nullable Object o) {
    return java.util.Objects.requireNonNull(o);
  }

  @SuppressWarnings("unchecked")
  private static List<@Nullable Object> list(@Nullable Object o) {
    return (List<@Nullable Object>) need(o);
  }

  @SuppressWarnings("unchecked")
  private static Map<@Nullable Object, @Nullable Object> map(@Nullable Object o) {
    return (Map<@Nullable Object, @Nullable Object>) need(o);
  }

  private static void put(
      Map<@Nullable Object, @Nullable Object> map, List<@Nullable Object> items) {
    for (int i = 0; i < items.size(); i += 2) {
      map.put(items.get(i), items.get(i + 1));
    }
  }

  // --- values ---

  private byte[] bytes(int n) {
    if (n < 0 || n > in.remaining()) {
      throw new WeightsException(source, "is cut short");
    }
    byte[] b = new byte[n];
    in.get(b);
    return b;
  }

  private String text(int n) {
    return new String(bytes(n), StandardCharsets.UTF_8);
  }

  /** Little-endian, of up to 8 bytes that count; a longer one is the legacy files' magic number. */
  private long number(int n) {
    byte[] b = bytes(n);
    long v = 0;
    for (int i = 0; i < Math.min(n, Long.BYTES); i++) {
      v |= (b[i] & 0xffL) << (8 * i);
    }
    if (n > 0 && n < Long.BYTES && b[n - 1] < 0) {
      v |= -1L << (8 * n);
    }
    return v;
  }

  private String line() {
    StringBuilder b = new StringBuilder();
    for (byte c = in.get(); c != '\n'; c = in.get()) {
      b.append((char) (c & 0xff));
    }
    return b.toString();
  }

  private static String unquoted(String s) {
    boolean quoted = s.length() >= 2 && (s.charAt(0) == '\'' || s.charAt(0) == '"');
    return quoted ? s.substring(1, s.length() - 1) : s;
  }

  private Object integer(String s) {
    try {
      return s.equals("01") ? (Object) true : s.equals("00") ? (Object) false : Long.valueOf(s);
    } catch (NumberFormatException e) {
      throw new WeightsException(source, "is damaged: '" + s + "' is no number", e);
    }
  }
}
