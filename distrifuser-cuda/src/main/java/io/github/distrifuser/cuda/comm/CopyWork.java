package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.Work;
import io.github.distrifuser.comm.local.Parcel;
import io.github.distrifuser.comm.local.ParcelExchange;
import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.cuda.CudaEvent;
import io.github.distrifuser.cuda.CudaException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Messages of one operation between ranks of this JVM. */
final class CopyWork implements Work {
  private final CopyStream stream;
  private final CudaEvent ready; // what the operators before it have written is there
  private final List<DeviceParcel> parcels = new ArrayList<>();
  private @Nullable Work posted;
  private Runnable then = () -> {};
  private Runnable release = () -> {};
  private volatile long doneAt;
  private volatile boolean done;

  CopyWork(CopyStream stream) {
    this.stream = stream;
    stream.context().activate();
    this.ready = stream.event();
  }

  /** The end of a copy, which both its ranks wait for. */
  private static final class Arrival {
    final CudaEvent event;
    final CopyStream owner;
    final AtomicInteger users = new AtomicInteger(2);

    Arrival(CudaEvent event, CopyStream owner) {
      this.event = event;
      this.owner = owner;
    }

    void leave() {
      if (users.decrementAndGet() == 0) {
        owner.giveBack(event);
      }
    }
  }

  /** One end of a message. */
  private static final class DeviceParcel implements Parcel {
    final CopyStream stream;
    final CudaEvent ready;
    final Runs runs;
    volatile @Nullable Arrival arrival;

    DeviceParcel(CopyStream stream, CudaEvent ready, Runs runs) {
      this.stream = stream;
      this.ready = ready;
      this.runs = runs;
    }

    @Override
    public long length() {
      return runs.total();
    }

    @Override
    public void travelTo(Parcel receiver) {
      if (!(receiver instanceof DeviceParcel to) || to.runs.count() != runs.count()) {
        throw new IllegalArgumentException("the two ends of a message have unlike shapes");
      }
      stream.enter();
      try {
        to.stream.enter();
        try {
          Arrival a = new Arrival(to.stream.copy(ready, runs, to.ready, to.runs), to.stream);
          arrival = a;
          to.arrival = a;
        } finally {
          to.stream.leave();
        }
      } finally {
        stream.leave();
      }
    }
  }

  /** An end of a message of this work. */
  Parcel parcel(Runs runs) {
    DeviceParcel p = new DeviceParcel(stream, ready, runs);
    parcels.add(p);
    return p;
  }

  /**
   * What to do once all has come.
   *
   * @param work given to the operators' stream
   * @param atEnd done in any case
   */
  void afterwards(Runnable work, Runnable atEnd) {
    then = work;
    release = atEnd;
  }

  /** Posts; the messages' parcels are this work's. */
  CopyWork post(ParcelExchange group, List<ParcelExchange.Message> messages) {
    stream.begun(this);
    try {
      ready.record(stream.context().compute());
      posted = group.exchangeParcels(messages);
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
    stream.context().activate(); // copies may have been given to other ranks' devices
    return this;
  }

  @Override
  public boolean isDone() {
    return done;
  }

  @Override
  public long doneNanos() {
    if (!done) {
      throw new IllegalStateException("the operation is not done");
    }
    return doneAt;
  }

  @Override
  public void await() {
    Work w = posted;
    if (w == null) {
      return;
    }
    posted = null;
    CudaContext context = stream.context();
    context.activate();
    try {
      try {
        w.await();
      } finally {
        follow(context); // nobody is at the tensors once the operators' stream has come here
      }
      then.run();
    } finally {
      end();
    }
    doneAt = System.nanoTime();
    done = true;
  }

  /** Gives back what a work has that will not be awaited; the operators' stream waits for it. */
  void abandon() {
    posted = null;
    try {
      follow(stream.context());
    } catch (CudaException e) {
      // the device has failed: nothing runs there any more
    } finally {
      end();
    }
  }

  private void end() {
    release.run();
    stream.giveBack(ready);
    stream.ended(this);
  }

  private void follow(CudaContext context) {
    CudaException failed = null;
    for (DeviceParcel p : parcels) {
      Arrival a = p.arrival;
      if (a != null) {
        p.arrival = null;
        try {
          context.compute().await(a.event);
        } catch (CudaException e) {
          failed = e;
        } finally {
          a.leave();
        }
      }
    }
    if (failed != null) {
      throw failed;
    }
  }
}
