package io.github.distrifuser.cuda;

import io.github.distrifuser.cuda.standin.Standin;

/** The driver's library, which JavaCPP's bindings cannot be loaded without. */
public final class LibCuda {
  private LibCuda() {}

  /** Loads the stand-in, for tests that call nothing of it. One JVM can have one such library. */
  public static void load() {
    System.load(Standin.driver().toString());
  }
}
