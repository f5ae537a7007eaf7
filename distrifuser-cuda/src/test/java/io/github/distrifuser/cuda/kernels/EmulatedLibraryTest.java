package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("cuda-standin")
class EmulatedLibraryTest {

  /** As the stand-ins load it: late, when little is left of the static TLS block. */
  @Test
  void theLibraryLoads() {
    Path library = EmulatedKernels.library();
    assertTrue(Files.exists(library));
    System.load(library.toString());
  }
}
