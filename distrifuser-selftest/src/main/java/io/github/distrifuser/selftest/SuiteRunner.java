package io.github.distrifuser.selftest;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import io.github.distrifuser.selftest.CaseResult.Status;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.reporting.ReportEntry;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.opentest4j.AssertionFailedError;

/** Runs the cases of a JUnit class and tells each that starts and ends. */
final class SuiteRunner implements TestExecutionListener {
  /** Status of a process that ends because it can't use the device any more. */
  static final int DEVICE_LOST = 75;

  private static final Pattern EXPECTED =
      Pattern.compile("(?:expected|[Aa]t most|allowed) *:? *([^,)]+)", Pattern.DOTALL);
  private static final Pattern FOUND =
      Pattern.compile("(?:found|but was|off by) *:? *([^,(\\n]+)", Pattern.DOTALL);

  private final String section;
  private final Events events;
  private int cases;

  private SuiteRunner(String section, Events events) {
    this.section = section;
    this.events = events;
  }

  /**
   * Runs a section's cases that are still to be run.
   *
   * @throws IllegalStateException where there are no cases at all
   */
  static void run(String section, Class<?> suite, Events events) {
    SuiteRunner listener = new SuiteRunner(section, events);
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request().selectors(selectClass(suite)).build(),
            listener);
    if (listener.cases == 0 && Pending.all()) {
      throw new IllegalStateException(section + " has no cases");
    }
  }

  private String name(TestIdentifier id) {
    String display = id.getDisplayName();
    if (id.getSource().orElse(null) instanceof MethodSource m) {
      String method = m.getMethodName();
      return section + ": " + (display.startsWith(method) ? method : method + " " + display);
    }
    return section + ": " + display;
  }

  @Override
  public void executionStarted(TestIdentifier id) {
    if (id.isTest()) {
      cases++;
      events.write(Events.STARTED, Map.of("id", id.getUniqueId(), "name", name(id)));
    }
  }

  @Override
  public void executionSkipped(TestIdentifier id, String reason) {
    cases++;
    if (!reason.contains(Pending.DONE_BEFORE)) {
      write(id, Status.SKIPPED, null, null, reason);
    }
  }

  @Override
  public void reportingEntryPublished(TestIdentifier id, ReportEntry entry) {
    entry.getKeyValuePairs().forEach((k, v) -> events.fact(section + ": " + k, v));
  }

  @Override
  public void executionFinished(TestIdentifier id, TestExecutionResult result) {
    Throwable thrown = result.getThrowable().orElse(null);
    switch (result.getStatus()) {
      case SUCCESSFUL -> {
        if (id.isTest()) {
          write(id, Status.PASSED, null, null, null);
        }
      }
      case ABORTED -> write(id, Status.SKIPPED, null, null, message(thrown));
      case FAILED -> {
        failed(id, thrown);
        if (!Gpu.usable()) {
          Runtime.getRuntime().halt(DEVICE_LOST); // a new process goes on with the next case
        }
      }
    }
  }

  private void failed(TestIdentifier id, @Nullable Throwable thrown) {
    String message = message(thrown);
    String expected = null;
    String found = null;
    if (thrown instanceof AssertionFailedError e
        && e.isExpectedDefined()
        && e.isActualDefined()
        && !(e.getExpected().getValue() instanceof Boolean)) {
      expected = e.getExpected().getStringRepresentation();
      found = e.getActual().getStringRepresentation();
    } else {
      expected = first(EXPECTED, message);
      found = first(FOUND, message);
    }
    write(
        id,
        Status.FAILED,
        expected == null ? "to pass" : expected,
        found == null ? message.lines().findFirst().orElse(message) : found,
        message);
  }

  private static @Nullable String first(Pattern pattern, String text) {
    Matcher m = pattern.matcher(text);
    return m.find() ? m.group(1).strip() : null;
  }

  private static String message(@Nullable Throwable thrown) {
    if (thrown == null) {
      return "no message";
    }
    String own =
        thrown instanceof AssertionError && thrown.getMessage() != null
            ? thrown.getMessage()
            : thrown.toString();
    StackTraceElement[] stack = thrown.getStackTrace();
    for (StackTraceElement e : stack) {
      if (e.getClassName().startsWith("io.github.distrifuser.")) {
        return own + " [at " + e + "]";
      }
    }
    return own;
  }

  private void write(
      TestIdentifier id,
      Status status,
      @Nullable String expected,
      @Nullable String found,
      @Nullable String message) {
    events.write(
        Events.FINISHED,
        new CaseResult(id.getUniqueId(), name(id), status, expected, found, message));
  }
}
