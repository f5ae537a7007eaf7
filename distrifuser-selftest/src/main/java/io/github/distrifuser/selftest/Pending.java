package io.github.distrifuser.selftest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Leaves out cases that an earlier process of the section has finished. */
final class Pending implements ExecutionCondition {
  static final String DONE_BEFORE = "done before";

  private static final Set<String> DONE = new HashSet<>();

  /** Reads ids and names of the finished cases, one a line. */
  static void read(Path file) {
    try {
      DONE.addAll(Files.readAllLines(file));
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
  }

  /** Whether a case is still to be run, by its id or its name. */
  static boolean isPending(String idOrName) {
    return !DONE.contains(idOrName);
  }

  /** Whether this is the section's first process. */
  static boolean all() {
    return DONE.isEmpty();
  }

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return isPending(context.getUniqueId())
        ? ConditionEvaluationResult.enabled("pending")
        : ConditionEvaluationResult.disabled(DONE_BEFORE);
  }
}
