package io.github.distrifuser.cuda.standin;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Loads the stand-in libraries for a test class. After each test nothing may have been used wrongly
 * and after all of a class everything must have been freed. Each test has a schedule of its own.
 */
public final class StandinExtension
    implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {

  private String leaksBefore = ""; // of classes that failed in this process

  @Override
  public void beforeAll(ExtensionContext context) {
    Standin.load();
    Standin.reset();
    leaksBefore = Standin.leaks();
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    Standin.reset();
    Standin.seed(context.getUniqueId().hashCode());
  }

  @Override
  public void afterEach(ExtensionContext context) {
    assertEquals("", Standin.reports(), "what was done wrong with the device");
  }

  @Override
  public void afterAll(ExtensionContext context) {
    assertEquals(leaksBefore, Standin.leaks(), "what was not freed, before this class and after");
    assertEquals("", Standin.reports(), "what was done wrong with the device");
  }
}
