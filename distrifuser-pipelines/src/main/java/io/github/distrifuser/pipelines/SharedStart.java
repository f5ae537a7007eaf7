package io.github.distrifuser.pipelines;

import io.github.distrifuser.comm.Communicator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * Something that ranks do before they work together and that may take one of them much longer than
 * the others, such as a download: those who are done tell each other that they are still there.
 */
final class SharedStart {
  private static final int TELL_EVERY_SECONDS = 5;

  private SharedStart() {}

  /**
   * Does it, and returns when all ranks have done it.
   *
   * @throws io.github.distrifuser.comm.CommException where another rank fails
   */
  static <T> T await(Communicator world, Supplier<T> task) {
    if (world.size() == 1) {
      return task.get();
    }
    FutureTask<T> running = new FutureTask<>(task::get);
    Thread thread = new Thread(running, "model-source");
    thread.setDaemon(true);
    thread.start();
    try {
      boolean all = false;
      while (!all) {
        byte done = (byte) (isDone(running) ? 1 : 0);
        List<byte[]> states = world.allGatherBytes(new byte[] {done});
        all = states.stream().allMatch(s -> s[0] == 1);
      }
      return running.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("the loading of the model was interrupted");
    } catch (ExecutionException e) {
      throw rethrown(e.getCause());
    } finally {
      running.cancel(true);
    }
  }

  private static boolean isDone(FutureTask<?> running)
      throws InterruptedException, ExecutionException {
    try {
      running.get(TELL_EVERY_SECONDS, TimeUnit.SECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    }
  }

  private static RuntimeException rethrown(Throwable cause) {
    if (cause instanceof Error e) {
      throw e;
    }
    return cause instanceof RuntimeException e ? e : new IllegalStateException(cause);
  }
}
