package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaEnvironmentTest {
  @TempDir Path folder;

  @Test
  void theDriversNumberIsFoundInWhatItsModuleSays() throws IOException {
    Path file = folder.resolve("version");
    assertNull(CudaEnvironment.driverIn(file));
    Files.writeString(
        file,
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build\n"
            + "GCC version:  gcc version 12.3.0\n");
    assertEquals("580.159.04", CudaEnvironment.driverIn(file));
    Files.writeString(file, "something else\n");
    assertNull(CudaEnvironment.driverIn(file));
  }
}
