package io.github.distrifuser.pipelines;

import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.weights.StateDict;
import java.util.function.Supplier;

/** A progress bar of the weights that are loaded meanwhile. */
final class LoadingBar {
  private LoadingBar() {}

  /**
   * Loads. Where the bytes are not known beforehand the bar shows no end.
   *
   * @param what the component, for the bar
   * @param loading takes its weights out of the dict
   */
  static <T> T during(
      ProgressReporter.Config config, String what, StateDict dict, Supplier<T> loading) {
    long bytes = dict.isGenerated() ? -1 : dict.bytes();
    try (ProgressReporter bar = ProgressReporter.bytes(config, "loading " + what, bytes)) {
      dict.onUse(bar::advance);
      return loading.get();
    } finally {
      dict.onUse(used -> {});
    }
  }
}
