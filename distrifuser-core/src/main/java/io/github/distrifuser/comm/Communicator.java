package io.github.distrifuser.comm;

import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;

/**
 * A group of ranks that talk to each other. All ranks of a group post the same collective
 * operations in the same order; one thread a rank posts. Posted operations run in the background
 * and their results are the same bits on every run (sums are taken in rank order).
 *
 * <p>Posting never blocks on a peer. Data is read from and written into the posted tensors while
 * the operation is under way: they must not be touched until {@link Work#await} returns.
 */
public interface Communicator extends AutoCloseable {

  /** How long an operation may take where nothing else was set. */
  Duration DEFAULT_TIMEOUT = Duration.ofMinutes(10);

  /** This rank's number within the group. */
  int rank();

  /** Number of ranks in the group. */
  int size();

  /** This rank's number in the whole world, for messages. */
  int worldRank();

  /**
   * The group of these ranks (numbers within this group, ascending). Called by all ranks of this
   * group at the same point, each with a group that contains it.
   */
  Communicator group(List<Integer> ranks);

  /**
   * Whether operations are work of the device's streams, waited for by streams alone, so that a
   * backend's capture of a step takes them in.
   */
  default boolean isCapturable() {
    return false;
  }

  /** Sends and receives, all at once. */
  Work exchange(List<Transfer> transfers);

  /**
   * Every rank's slot travels to all others.
   *
   * @param slots one tensor a rank; this rank's own holds what it sends, the others are filled.
   *     Slots may differ in size.
   */
  Work allGather(List<Tensor> slots);

  /** Sums an F32 tensor (or one of the backend's type) over all ranks, in rank order, in place. */
  Work allReduceSum(Tensor tensor);

  /** Bytes of one rank to all: contents are replaced on the others; lengths must agree. */
  void broadcast(byte[] bytes, int root);

  /** Each rank's bytes (any length), in rank order, on every rank. Blocking. */
  List<byte[]> allGatherBytes(byte[] mine);

  /** Returns when all ranks have called it. */
  void barrier();

  /**
   * How long a peer may keep this rank waiting, counted from the call that waits, before the
   * operation fails and names the peer. Holds for operations posted from now on, and for groups
   * made from now on.
   */
  void setTimeout(Duration timeout);

  /** Tells all ranks that this one has failed; their pending operations throw. Idempotent. */
  void abort(String reason);

  /** As {@link #abort}, where the fault is another rank's, which the message begins with. */
  default void accuse(int ofWorldRank, String message) {
    abort(message);
  }

  /**
   * Throws where no operation can be done any more, as operations would; never blocks.
   *
   * @throws CommException naming the rank at fault
   */
  default void check() {}

  /** This rank's, in all groups together. */
  CommStats stats();

  /**
   * Says what this rank is doing, such as "step 7", in a few words. Where the rank is lost, the
   * other ranks' messages say what they heard last. Cheap; may be ignored.
   */
  default void progress(String what) {}

  /** What {@link #progress} of a rank of the world said last, as far as it is known here. */
  default String heard(int ofWorldRank) {
    return "";
  }

  /**
   * Leaves the group, and groups made of it, in order; the others' operations that need this rank
   * fail and say that it has left. Idempotent; a sub-group's close leaves its parent open.
   */
  @Override
  void close();
}
