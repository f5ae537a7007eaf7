package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The search for libraries, in folders of the test's own. */
class CudaLibrariesTest {
  @TempDir Path root;

  private CudaLibraries search(Map<String, String> environment, Map<String, String> properties) {
    return new CudaLibraries(environment, properties, root);
  }

  private Path put(String file) throws IOException {
    Path p = root.resolve(file);
    Files.createDirectories(p.getParent());
    return Files.createFile(p);
  }

  private void putAll(String folder) throws IOException {
    for (CudaLibraries.Wanted w : CudaLibraries.WANTED) {
      put(folder + "/" + w.file());
    }
  }

  @Test
  void aMachineWithoutDriverIsToldSo() {
    String reason = search(Map.of(), Map.of()).missingDriver();
    assertEquals("NVIDIA's driver is not installed: there is no libcuda.so.1", reason);
  }

  @Test
  void theDriverIsFoundInFoldersAndByTheLinker() throws IOException {
    Files.createDirectories(root.resolve("etc"));
    Path cache = root.resolve("etc/ld.so.cache");
    Files.writeString(cache, "\0libcuda.so.1\0/opt/libcuda.so.12\0", StandardCharsets.ISO_8859_1);
    assertNotNull(search(Map.of(), Map.of()).missingDriver());
    Files.writeString(cache, "\0libcuda.so.1\0/opt/libcuda.so.1\0", StandardCharsets.ISO_8859_1);
    assertNull(search(Map.of(), Map.of()).missingDriver());
    Files.delete(cache);
    put("usr/lib64/libcuda.so.1");
    assertNull(search(Map.of(), Map.of()).missingDriver());
  }

  @Test
  void wheelsOfAnEnvironmentAreFound() throws IOException {
    String nvidia = "venv/lib/python3.12/site-packages/nvidia/";
    Path blas = put(nvidia + "cu13/lib/libcublasLt.so.13");
    Path dnn = put(nvidia + "cudnn/lib/libcudnn_graph.so.9");
    CudaLibraries all = search(Map.of("VIRTUAL_ENV", root.resolve("venv").toString()), Map.of());
    assertEquals(blas.toAbsolutePath(), all.find("libcublasLt.so.13"));
    assertEquals(dnn.toAbsolutePath(), all.find("libcudnn_graph.so.9"));
    assertNull(search(Map.of(), Map.of()).find("libcublasLt.so.13"));
  }

  @Test
  void namedFoldersComeFirst() throws IOException {
    putAll("usr/lib64");
    putAll("toolkit/lib64");
    putAll("variable");
    putAll("property");
    Map<String, String> toolkit = Map.of("CUDA_HOME", root.resolve("toolkit").toString());
    Map<String, String> variable =
        Map.of(
            "CUDA_HOME",
            root.resolve("toolkit").toString(),
            CudaLibraries.VARIABLE,
            root.resolve("nothing") + ":" + root.resolve("variable"));
    Map<String, String> property =
        Map.of(CudaLibraries.PROPERTY, root.resolve("property").toString());
    for (CudaLibraries.Wanted w : CudaLibraries.WANTED) {
      String f = w.file();
      assertEquals(root.resolve("usr/lib64").resolve(f), search(Map.of(), Map.of()).find(f));
      assertEquals(root.resolve("toolkit/lib64").resolve(f), search(toolkit, Map.of()).find(f));
      assertEquals(root.resolve("variable").resolve(f), search(variable, Map.of()).find(f));
      assertEquals(root.resolve("property").resolve(f), search(variable, property).find(f));
    }
    assertNull(search(Map.of(), Map.of()).missing());
  }

  @Test
  void aMissingLibraryIsNamedWithWhatIsThereInstead() throws IOException {
    putAll("usr/lib64");
    Files.delete(root.resolve("usr/lib64/libcudnn_graph.so.9"));
    String none = search(Map.of(), Map.of()).missing();
    assertEquals(
        "cuDNN 9 is needed and libcudnn_graph.so.9 is missing: no version of it was found;"
            + " install it or name its folder with DISTRIFUSER_CUDA_LIBRARIES",
        none);
    Path old = put("usr/local/cuda/lib64/libcudnn_graph.so.8");
    String other = String.valueOf(search(Map.of(), Map.of()).missing());
    assertTrue(other.contains("found only [" + old + "]"), other);
  }

  @Test
  void ncclIsAskedForOnItsOwn() throws IOException {
    putAll("usr/lib64");
    assertNull(search(Map.of(), Map.of()).missing());
    assertEquals(
        "NCCL 2 is needed and libnccl.so.2 is missing: no version of it was found;"
            + " install it or name its folder with DISTRIFUSER_CUDA_LIBRARIES",
        search(Map.of(), Map.of()).missing(CudaLibraries.NCCL));
    put("venv/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2");
    Map<String, String> venv = Map.of("VIRTUAL_ENV", root.resolve("venv").toString());
    assertNull(search(venv, Map.of()).missing(CudaLibraries.NCCL));
  }

  @Test
  void foldersThatAreNotThereAreNoError() {
    CudaLibraries all =
        search(
            Map.of("CUDA_HOME", "", "LD_LIBRARY_PATH", "::/nowhere", "VIRTUAL_ENV", "/nowhere"),
            Map.of("java.library.path", ""));
    assertNull(all.find("libcublasLt.so.13"));
    assertTrue(all.folders().contains(Path.of("/nowhere")));
  }
}
