package io.github.distrifuser.backend;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds backends by {@link ServiceLoader} and picks the best one that works here. */
public final class Backends {
  private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

  private Backends() {}

  /** All providers on the class path, best first. */
  public static List<BackendProvider> providers() {
    List<BackendProvider> all = new ArrayList<>();
    ServiceLoader.load(BackendProvider.class).forEach(all::add);
    all.sort(Comparator.comparingInt(BackendProvider::priority).reversed());
    return all;
  }

  /**
   * The best provider for a kind of device.
   *
   * @param device {@code auto}, {@code cpu}, {@code cuda}, or a provider's name
   * @throws IllegalStateException where none can be used, saying why for each
   */
  public static BackendProvider choose(String device) {
    List<BackendProvider> fitting =
        providers().stream()
            .filter(
                p ->
                    device.equals("auto")
                        || p.deviceKind().equals(device)
                        || p.name().equals(device))
            .toList();
    List<String> reasons = new ArrayList<>();
    for (BackendProvider p : fitting) {
      String reason = p.unavailableReason();
      if (reason == null) {
        if (p.priority() == 0 && !reasons.isEmpty()) {
          LOG.warn("{}: computing in plain Java, which is slow", String.join("; ", reasons));
        }
        return p;
      }
      reasons.add(p.name() + ": " + reason);
      LOG.debug("backend {} cannot be used: {}", p.name(), reason);
    }
    throw new IllegalStateException(
        "no backend for device '"
            + device
            + "'"
            + (reasons.isEmpty() ? ": none is on the class path" : ": " + reasons));
  }
}
