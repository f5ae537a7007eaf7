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

  /** Reads the finished cases' ids, one a line. */
  static void read(Path file) {
    try {
      DONE.addAll(Files.readAllLines(file));
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
  }

  /** Whether a case is still to be run. */
  static boolean isPending(String id) {
    return !DONE.contains(id);
  }

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return isPending(context.getUniqueId())
        ? ConditionEvaluationResult.enabled("pending")
        : ConditionEvaluationResult.disabled(DONE_BEFORE);
  }
}
