package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.reference.ReferenceBackendProvider;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The reference backend, with a convolution that fails on the thread of a rank when it is told. */
public final class FaultyBackendProvider implements BackendProvider {
  static final String NAME = "faulty";

  private static final AtomicInteger CONVOLUTIONS = new AtomicInteger();
  private static volatile String thread = "";
  private static volatile int failAt = -1;
  private static volatile Supplier<Throwable> failure = AssertionError::new;

  private final BackendProvider reference = new ReferenceBackendProvider();

  /** From now on, the n-th convolution on that rank's thread fails, once. */
  static void fail(int rank, int n, Supplier<Throwable> with) {
    failure = with;
    thread = "distrifuser-rank-" + rank;
    CONVOLUTIONS.set(0);
    failAt = n;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String deviceKind() {
    return NAME;
  }

  @Override
  public int priority() {
    return -1;
  }

  @Override
  public @Nullable String unavailableReason() {
    return null;
  }

  @Override
  public int deviceCount() {
    return 1;
  }

  @Override
  public Backend create(BackendOptions options) {
    Backend inner = reference.create(options);
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, args) -> {
              if (method.getName().equals("conv2d")
                  && Thread.currentThread().getName().equals(thread)
                  && CONVOLUTIONS.getAndIncrement() == failAt) {
                failAt = -1;
                throw failure.get();
              }
              try {
                return method.invoke(inner, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
