package io.github.distrifuser.selftest.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BundleRulesTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "org/bytedeco/cuda/linux-x86_64/libjnicudart.so",
        "org/bytedeco/cuda/linux-x86_64/libcudart.so.13",
        "org/bytedeco/cuda/global/cudart.class",
        "native/lib/linux-x86_64/cpu/libtokenizers.so",
        "native/lib/tokenizers.properties",
        "com/sun/jna/linux-x86-64/libjnidispatch.so",
        "com/sun/jna/Native.class",
        "META-INF/services/io.github.distrifuser.backend.BackendProvider"
      })
  void whatIsUsedIsTaken(String entry) {
    assertTrue(BundleRules.taken(entry));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "org/bytedeco/cuda/linux-x86_64/libnvrtc.so.13",
        "org/bytedeco/cuda/linux-x86_64/libjninppif.so",
        "native/lib/win-x86_64/cpu/tokenizers.dll",
        "native/lib/linux-aarch64/cpu/libtokenizers.so",
        "com/sun/jna/darwin-aarch64/libjnidispatch.jnilib",
        "io/github/distrifuser/pipelines/landscapes/unet/diffusion_pytorch_model.safetensors"
      })
  void otherNativesAndTheDefaultModelAreNot(String entry) {
    assertFalse(BundleRules.taken(entry));
  }

  @Test
  void foldersOfClassesAreNamedByTheirModule() {
    Path folder = Path.of("/a/distrifuser-core/target/test-classes");
    assertEquals("distrifuser-core-test-classes.jar", BundleRules.jarName(folder));
    assertEquals("x-1.jar", BundleRules.jarName(Path.of("/a/x-1.jar")));
  }

  @Test
  void jarsOfOtherBackendsAreLeftOut() {
    assertTrue(BundleRules.leftOut(Path.of("dnnl-3.11-1.5.13-linux-x86_64.jar")));
    assertTrue(BundleRules.leftOut(Path.of("hadoop-client-api-3.5.0.jar")));
    assertFalse(BundleRules.leftOut(Path.of("cuda-13.1-9.19-1.5.13.jar")));
  }
}
