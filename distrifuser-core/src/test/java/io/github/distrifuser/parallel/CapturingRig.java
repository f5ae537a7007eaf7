package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.CaptureException;
import io.github.distrifuser.backend.StepGraph;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.Storage;
import io.github.distrifuser.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The reference backend with captures, and a communicator that takes part in them: operators and
 * messages of a captured step are noted with their arguments, and called for each replay. What a
 * device could not capture is an error.
 */
final class CapturingRig {
  private static final Set<String> HOST =
      Set.of("write", "read", "toFloats", "synchronize", "trim", "prepareLinear", "prepareConv2d");
  private static final Set<String> PLAIN =
      Set.of("name", "device", "dtype", "threads", "memory", "close");
  private static final Set<String> HERE = Set.of("rank", "size", "worldRank");
  private static final Set<String> POSTS = Set.of("exchange", "allGather", "allReduceSum");

  private final Backend real = Fixtures.backend();
  private @Nullable Graph capturing;
  private int untilFailure = -1;
  private int captures;
  private int replays;
  private int operators; // called by the host and not by a graph

  /** Lets the n-th operator from now on that is captured fail. */
  void failCaptured(int n) {
    untilFailure = n;
  }

  int captures() {
    return captures;
  }

  int replays() {
    return replays;
  }

  /** Operators that were called outside captures and replays. */
  int operators() {
    return operators;
  }

  Backend backend() {
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, args) -> call(method, args));
  }

  private @Nullable Object call(Method method, Object @Nullable [] args) throws Throwable {
    String name = method.getName();
    Graph graph = capturing;
    if (name.equals("canCapture")) {
      return true;
    }
    if (name.equals("capture") && args != null) {
      @SuppressWarnings("unchecked")
      Supplier<Tensor> step = (Supplier<Tensor>) args[0];
      return capture(step);
    }
    if (PLAIN.contains(name)) {
      return invoke(real, method, args);
    }
    if (graph == null) {
      operators++;
      return invoke(real, method, args);
    }
    if (HOST.contains(name)) {
      throw new IllegalStateException(name + " within a capture");
    }
    if (name.equals("allocate")) {
      return graph.allocated((Tensor) invoke(real, method, args));
    }
    if (untilFailure > 0 && --untilFailure == 0) {
      throw new IllegalStateException(name + " fails as the test wants it");
    }
    graph.notes.add(() -> invokeUnchecked(real, method, args));
    return null;
  }

  private static Object invoke(Object target, Method method, Object @Nullable [] args)
      throws Throwable {
    try {
      return method.invoke(target, args);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static Object invokeUnchecked(Object target, Method method, Object @Nullable [] args) {
    try {
      return invoke(target, method, args);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private StepGraph capture(Supplier<Tensor> step) {
    Graph graph = new Graph();
    capturing = graph;
    try {
      graph.result = step.get();
      if (graph.posted != 0) {
        throw new IllegalStateException(graph.posted + " messages are not waited for");
      }
      captures++;
      return graph;
    } catch (RuntimeException e) {
      graph.close();
      throw new CaptureException("the test's backend cannot: " + e.getMessage(), e);
    } finally {
      capturing = null;
    }
  }

  private final class Graph implements StepGraph {
    final List<Runnable> notes = new ArrayList<>();
    final List<Tensor> memory = new ArrayList<>();
    int posted; // messages that are not waited for yet
    @Nullable Tensor result;
    boolean closed;

    Tensor allocated(Tensor t) {
      memory.add(t);
      return Tensor.owning(new Kept(t.storage(), this), t.dtype(), t.shape());
    }

    @Override
    public Tensor replay() {
      Tensor r = result;
      if (closed || r == null) {
        throw new IllegalStateException("a graph is run after it was closed");
      }
      notes.forEach(Runnable::run);
      replays++;
      return r;
    }

    @Override
    public boolean isOpen() {
      return !closed;
    }

    @Override
    public void keep(boolean needed) {}

    @Override
    public long bytes() {
      return memory.stream().mapToLong(Tensor::byteSize).sum();
    }

    @Override
    public void close() {
      closed = true;
      memory.forEach(Tensor::close);
    }
  }

  /** Memory of a graph: whoever captures may close it; it stays until the graph is closed. */
  private final class Kept implements Storage {
    private final Storage storage;
    private final Graph graph;
    private boolean closed;

    Kept(Storage storage, Graph graph) {
      this.storage = storage;
      this.graph = graph;
    }

    @Override
    public long byteSize() {
      return storage.byteSize();
    }

    @Override
    public long address() {
      return storage.address();
    }

    @Override
    public ByteBuffer buffer(long offset, int length) {
      return storage.buffer(offset, length);
    }

    @Override
    public boolean isClosed() {
      return capturing == graph ? closed : storage.isClosed();
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  /** A communicator that captures, too. */
  Communicator communicator(Communicator inner) {
    return (Communicator)
        Proxy.newProxyInstance(
            Communicator.class.getClassLoader(),
            new Class<?>[] {Communicator.class},
            (proxy, method, args) -> {
              if (method.getName().equals("isCapturable")) {
                return true;
              }
              if (method.getName().equals("group") && args != null) {
                return communicator((Communicator) invoke(inner, method, args));
              }
              Graph graph = capturing;
              if (graph == null || HERE.contains(method.getName())) {
                return invoke(inner, method, args);
              }
              if (!POSTS.contains(method.getName())) {
                throw new IllegalStateException(method.getName() + " within a capture");
              }
              return new CapturedWork(graph, () -> (Work) invokeUnchecked(inner, method, args));
            });
  }

  private final class CapturedWork implements Work {
    private final Graph graph;
    private @Nullable Work running;
    private boolean awaited;

    CapturedWork(Graph graph, Supplier<Work> post) {
      this.graph = graph;
      graph.posted++;
      graph.notes.add(() -> running = post.get());
    }

    @Override
    public boolean isDone() {
      throw new IllegalStateException("a captured message is asked whether it has arrived");
    }

    @Override
    public long doneNanos() {
      throw new IllegalStateException("a captured message is asked when it has arrived");
    }

    @Override
    public void await() {
      if (capturing != graph) {
        throw new IllegalStateException("a captured message is waited for outside its capture");
      }
      if (!awaited) {
        awaited = true;
        graph.posted--;
      }
      graph.notes.add(
          () -> {
            if (running != null) {
              running.await();
            }
          });
    }
  }
}
