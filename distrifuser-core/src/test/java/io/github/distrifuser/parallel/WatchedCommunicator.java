package io.github.distrifuser.parallel;

import io.github.distrifuser.comm.Communicator;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** Tells a test of every operation that is posted, groups' included; the test may throw. */
public final class WatchedCommunicator {
  private static final Set<String> POSTS = Set.of("exchange", "allGather", "allReduceSum");

  private WatchedCommunicator() {}

  /**
   * Wraps a communicator.
   *
   * @param onPost gets the operation's name before it is posted
   */
  public static Communicator of(Communicator inner, Consumer<String> onPost) {
    return (Communicator)
        Proxy.newProxyInstance(
            Communicator.class.getClassLoader(),
            new Class<?>[] {Communicator.class},
            (proxy, method, args) -> {
              if (POSTS.contains(method.getName())) {
                onPost.accept(method.getName());
              }
              if (method.getName().equals("group")) {
                @SuppressWarnings("unchecked")
                List<Integer> ranks = (List<Integer>) args[0];
                return of(inner.group(ranks), onPost);
              }
              try {
                return method.invoke(inner, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
