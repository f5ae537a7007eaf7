package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.local.ParcelExchange;
import io.github.distrifuser.cuda.Cuda;
import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.cuda.NcclLibrary;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Connects the GPUs of all ranks, in the way that their places allow. */
public final class DeviceCommunicators {
  /** Tells this JVM apart from all others. */
  private static final String JVM = UUID.randomUUID().toString();

  private DeviceCommunicators() {}

  /** Where a rank is. */
  private record Place(String jvm, String device, int index, String name) {
    String encoded() {
      return String.join("\n", jvm, device, "" + index, name);
    }

    static Place decode(String text) {
      String[] parts = text.split("\n", 4);
      return new Place(parts[0], parts[1], Integer.parseInt(parts[2]), parts[3]);
    }
  }

  /**
   * A communicator for tensors of a device. Called by all ranks of the world at the same point.
   *
   * @param context this rank's device
   * @param host all ranks of the world; stays open when the result is closed
   * @throws IllegalStateException where processes share a GPU, or NCCL is missing or too old
   * @throws io.github.distrifuser.comm.CommException where a rank does not come
   */
  public static Communicator connect(CudaContext context, Communicator host) {
    if (host.size() == 1) {
      return host;
    }
    int device = context.device();
    Place own = new Place(JVM, Cuda.uuid(device), device, Cuda.name(device));
    List<Place> places = gather(host, own.encoded()).stream().map(Place::decode).toList();
    for (Place p : places) {
      if (p.jvm.equals(JVM) && p.index != device) {
        context.memory().share(p.index);
      }
    }
    Map<String, Integer> owners = new HashMap<>();
    for (int r = 0; r < places.size(); r++) {
      Integer other = owners.putIfAbsent(places.get(r).device, r);
      if (other != null) {
        return shared(context, host, places, other, r);
      }
    }
    List<String> problems = gather(host, String.valueOf(NcclLibrary.unavailableReason()));
    for (int r = 0; r < problems.size(); r++) {
      if (!problems.get(r).equals("null")) {
        throw new IllegalStateException("rank " + r + ": " + problems.get(r));
      }
    }
    return NcclCommunicator.connect(context, host);
  }

  private static List<String> gather(Communicator host, String mine) {
    return host.allGatherBytes(mine.getBytes(StandardCharsets.UTF_8)).stream()
        .map(b -> new String(b, StandardCharsets.UTF_8))
        .toList();
  }

  /** Two ranks are on one GPU, which NCCL refuses. */
  private static Communicator shared(
      CudaContext context, Communicator host, List<Place> places, int a, int b) {
    boolean oneJvm = places.stream().allMatch(p -> p.jvm.equals(JVM));
    if (oneJvm && host instanceof ParcelExchange parcels) {
      return new SharedDeviceCommunicator(context, parcels);
    }
    throw new IllegalStateException(
        "rank %d and rank %d are processes on one GPU, %s: start no more processes than there are GPUs, or ranks that are threads of one process"
            .formatted(a, b, "cuda:" + places.get(b).index + " (" + places.get(b).name + ")"));
  }
}
