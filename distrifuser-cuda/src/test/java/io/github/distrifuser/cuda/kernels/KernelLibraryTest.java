package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.MomentRule;
import io.github.distrifuser.tensor.DType;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class KernelLibraryTest {

  @Test
  void signaturesAreThoseOfTheSources() {
    Kernel k = KernelLibrary.get("epilogue_bf16");
    assertEquals("pointwise_bf16", k.source().name());
    assertEquals(256, k.threads());
    assertFalse(k.cooperative());
    assertEquals(
        "epilogue_bf16(const T* x, const T* bias or null, const T* channelBias or null, const T*"
            + " residual or null, T* out, I64 rows, I64 rowsPerBatch, I32 channels, I64"
            + " xBatchStride, I64 xRowStride, I64 channelBiasStride, I64 residualBatchStride, I64"
            + " residualRowStride, I64 outBatchStride, I64 outRowStride, I32 activation)",
        k.toString());
    assertTrue(KernelLibrary.get("layerNorm", DType.F16).cooperative());
    assertEquals(
        new KernelArgument("seed", ArgumentKind.U64, null, false, false),
        KernelLibrary.get("normalNoise", DType.F32).arguments().get(2));
  }

  @Test
  void everyTypeHasTheSameKernels() {
    long untyped = KernelLibrary.kernels().stream().filter(k -> k.source().dtype() == null).count();
    long each =
        KernelLibrary.sources(DType.F16).stream()
                .mapToLong(s -> KernelLibrary.kernels(s).size())
                .sum()
            - untyped;
    assertTrue(each > 20, "kernels of a type: " + each);
    assertEquals(3 * each + untyped, KernelLibrary.kernels().size());
  }

  /** What the parser would pass over in silence. */
  @Test
  void everyDeclarationIsRead() {
    for (KernelSource source : KernelLibrary.sources(DType.F32)) {
      long declared =
          Pattern.compile("KERNEL\\(")
              .matcher(KernelSource.resource(source.file() + ".cu"))
              .results()
              .count();
      assertEquals(declared, KernelLibrary.kernels(source).size(), source.toString());
    }
  }

  /** The sources count as the enums do. */
  @Test
  void enumsAreTheSources() {
    assertTrue(
        KernelSource.resource("common.cuh")
            .contains("enum Activation " + braced(List.of(Activation.values()))));
    assertTrue(
        KernelSource.resource("untyped.cu")
            .contains("enum MomentRule " + braced(List.of(MomentRule.values()))));
  }

  private static String braced(List<?> values) {
    return values.toString().replace("[", "{ ").replace("]", " };");
  }

  @Test
  void unknownNamesAndTypesAreErrors() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> KernelLibrary.get("gelu", DType.F16))
            .getMessage();
    assertTrue(message.startsWith("there is no kernel gelu_f16: there are ["), message);
    assertThrows(IllegalArgumentException.class, () -> new KernelSource("norm", DType.I32));
    assertThrows(
        IllegalArgumentException.class, () -> new KernelSource("missing", DType.F32).text());
  }
}
