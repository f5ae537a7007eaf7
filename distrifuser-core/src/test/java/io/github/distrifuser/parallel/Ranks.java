package io.github.distrifuser.parallel;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * Runs a test on several ranks, each a thread. Their communicator is as unhelpful as its contract
 * allows: it reads what is sent and fills what is received at any time between posting and waiting,
 * so that a layer that touches a posted tensor too early or too late shows.
 */
public final class Ranks {
  private static final int LIMIT_S = 60;

  private Ranks() {}

  /** What each rank's function gives, in rank order; a rank's failure fails all. */
  public static <T> List<T> run(int ranks, Function<Communicator, T> program) {
    Map<List<Object>, BlockingQueue<byte[]>> mail = new ConcurrentHashMap<>();
    List<LateCommunicator> worlds = new ArrayList<>();
    ExecutorService threads = Executors.newCachedThreadPool();
    try {
      List<Integer> all = new ArrayList<>();
      for (int i = 0; i < ranks; i++) {
        all.add(i);
      }
      List<Future<T>> results = new ArrayList<>();
      for (int i = 0; i < ranks; i++) {
        LateCommunicator world = new LateCommunicator(mail, all, i);
        worlds.add(world);
        results.add(threads.submit(() -> program.apply(world)));
      }
      List<T> values = new ArrayList<>();
      for (Future<T> f : results) {
        values.add(f.get(LIMIT_S, TimeUnit.SECONDS));
      }
      return values;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException r ? r : new IllegalStateException(e);
    } catch (InterruptedException | TimeoutException e) {
      throw new IllegalStateException("ranks did not end", e);
    } finally {
      threads.shutdownNow();
      worlds.forEach(LateCommunicator::shutdown);
    }
  }

  private static final class LateCommunicator implements Communicator {
    private final Map<List<Object>, BlockingQueue<byte[]>> mail;
    private final List<Integer> members;
    private final int worldRank;
    private final ExecutorService background;
    private final Random delays;
    private int collectives;
    private volatile long bytesSent;

    LateCommunicator(
        Map<List<Object>, BlockingQueue<byte[]>> mail, List<Integer> members, int worldRank) {
      this.mail = mail;
      this.members = members;
      this.worldRank = worldRank;
      this.background = Executors.newSingleThreadExecutor();
      this.delays = new Random(); // results must not depend on them
    }

    void shutdown() {
      background.shutdownNow();
      groups.forEach(LateCommunicator::shutdown);
    }

    private final List<LateCommunicator> groups = new ArrayList<>();

    @Override
    public int rank() {
      return members.indexOf(worldRank);
    }

    @Override
    public int size() {
      return members.size();
    }

    @Override
    public int worldRank() {
      return worldRank;
    }

    @Override
    public Communicator group(List<Integer> ranks) {
      LateCommunicator g =
          new LateCommunicator(mail, ranks.stream().map(members::get).toList(), worldRank);
      groups.add(g);
      return g;
    }

    private BlockingQueue<byte[]> box(int from, int to, Object tag) {
      return mail.computeIfAbsent(
          List.of(members, from, to, tag), k -> new LinkedBlockingQueue<>());
    }

    private void send(int peer, Object tag, byte[] bytes) {
      bytesSent += bytes.length;
      box(rank(), peer, tag).add(bytes);
    }

    private byte[] receive(int peer, Object tag) throws InterruptedException {
      byte[] b = box(peer, rank(), tag).poll(LIMIT_S, TimeUnit.SECONDS);
      if (b == null) {
        throw new CommException(members.get(peer), "nothing came, tag " + tag);
      }
      return b;
    }

    /** Does it later. */
    private Work later(BackgroundTask task) {
      long delay = delays.nextInt(300);
      Future<?> f =
          background.submit(
              () -> {
                TimeUnit.MICROSECONDS.sleep(delay);
                task.run();
                return null;
              });
      return new Work() {
        @Override
        public boolean isDone() {
          return f.isDone();
        }

        @Override
        public long doneNanos() {
          return System.nanoTime();
        }

        @Override
        public void await() {
          try {
            f.get(LIMIT_S, TimeUnit.SECONDS);
          } catch (ExecutionException | InterruptedException | TimeoutException e) {
            throw new CommException(-1, "an operation failed", e);
          }
        }
      };
    }

    private interface BackgroundTask {
      void run() throws InterruptedException;
    }

    @Override
    public Work exchange(List<Transfer> transfers) {
      return later(
          () -> {
            for (Transfer t : transfers) {
              if (t.send()) {
                send(t.peer(), t.tag(), bytes(t.tensor()));
              }
            }
            for (Transfer t : transfers) {
              if (!t.send()) {
                fill(t.tensor(), receive(t.peer(), t.tag()));
              }
            }
          });
    }

    @Override
    public Work allGather(List<Tensor> slots) {
      List<Transfer> all = new ArrayList<>();
      for (int i = 0; i < size(); i++) {
        if (i != rank()) {
          all.add(Transfer.send(i, -1, slots.get(rank())));
          all.add(Transfer.receive(i, -1, slots.get(i)));
        }
      }
      return exchange(all);
    }

    @Override
    public Work allReduceSum(Tensor tensor) {
      if (tensor.dtype() != DType.F32 || !tensor.isDense()) {
        throw new IllegalArgumentException("sum of " + tensor);
      }
      return later(
          () -> {
            List<byte[]> parts = gather(bytes(tensor));
            ByteBuffer out = view(tensor);
            for (int at = 0; at < tensor.byteSize(); at += 4) {
              float sum = 0;
              for (byte[] p : parts) {
                sum += ByteBuffer.wrap(p).order(out.order()).getFloat(at);
              }
              out.putFloat(at, sum);
            }
          });
    }

    private List<byte[]> gather(byte[] mine) throws InterruptedException {
      String tag = "collective " + collectives++;
      for (int i = 0; i < size(); i++) {
        if (i != rank()) {
          send(i, tag, mine);
        }
      }
      List<byte[]> parts = new ArrayList<>();
      for (int i = 0; i < size(); i++) {
        parts.add(i == rank() ? mine : receive(i, tag));
      }
      return parts;
    }

    private static ByteBuffer view(Tensor t) {
      return t.storage().buffer(t.byteOffset(), (int) t.byteSize());
    }

    /** Entries of dimension 0 may be apart. */
    private static List<Tensor> dense(Tensor t) {
      if (t.isDense()) {
        return List.of(t);
      }
      List<Tensor> all = new ArrayList<>();
      for (long i = 0; i < t.shape().dim(0); i++) {
        Tensor entry = t.slice(0, i, i + 1);
        if (!entry.isDense()) {
          throw new IllegalArgumentException("message of " + t);
        }
        all.add(entry);
      }
      return all;
    }

    private static byte[] bytes(Tensor t) {
      ByteBuffer all = ByteBuffer.allocate((int) t.byteSize());
      dense(t).forEach(e -> all.put(view(e)));
      return all.array();
    }

    private static void fill(Tensor t, byte[] bytes) {
      if (bytes.length != t.byteSize()) {
        throw new IllegalArgumentException(bytes.length + " bytes came for " + t);
      }
      int at = 0;
      for (Tensor e : dense(t)) {
        view(e).put(bytes, at, (int) e.byteSize());
        at += (int) e.byteSize();
      }
    }

    @Override
    public void broadcast(byte[] bytes, int root) {
      System.arraycopy(allGatherBytes(bytes).get(root), 0, bytes, 0, bytes.length);
    }

    @Override
    public List<byte[]> allGatherBytes(byte[] mine) {
      List<byte[]> all = new ArrayList<>();
      later(() -> all.addAll(gather(mine))).await();
      return all;
    }

    @Override
    public void barrier() {
      allGatherBytes(new byte[0]);
    }

    @Override
    public void setTimeout(Duration timeout) {}

    @Override
    public void abort(String reason) {
      shutdown();
    }

    @Override
    public CommStats stats() {
      return new CommStats(bytesSent, 0, 0);
    }

    @Override
    public void close() {}
  }
}
