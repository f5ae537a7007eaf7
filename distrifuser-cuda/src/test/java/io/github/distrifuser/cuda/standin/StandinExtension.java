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

  @Override
  public void beforeAll(ExtensionContext context) {
    Standin.load();
    Standin.clear(); // a class that failed in this process may have left something
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
    assertEquals("", Standin.leaks(), "what was not freed");
    assertEquals("", Standin.reports(), "what was done wrong with the device");
  }
}
