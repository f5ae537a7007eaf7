package io.github.distrifuser.selftest.bundle;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** What of the class path a bundle for linux-x86_64 needs. */
final class BundleRules {
  /** Jars that are left out whole. */
  private static final Pattern JARS =
      Pattern.compile(
          "(dnnl|opencl|parquet|hadoop|xchart|VectorGraphics2D|animated-gif|pdfbox|jmh|ejml)[-_].*");

  /** Natives that CUDA's path loads; NVRTC is the target's, for it fills a bundle alone. */
  private static final Pattern CUDA_NATIVES =
      Pattern.compile(
          "lib(jnicudart|jnicublas|jnicudnn|jninvrtc|jninccl)\\.so|libcudart\\.so\\.13");

  private static final String CUDA = "org/bytedeco/cuda/linux-x86_64/";
  private static final String TOKENIZERS = "native/lib/";
  private static final String JNA = "com/sun/jna/";

  /** The model that comes with the library, which no case uses. */
  private static final String DEFAULT_MODEL = "io/github/distrifuser/pipelines/landscapes/";

  private static final List<String> USELESS =
      List.of("META-INF/native-image/", "META-INF/maven/", "nlp/");

  private BundleRules() {}

  static boolean leftOut(Path jar) {
    return JARS.matcher(jar.getFileName().toString()).matches();
  }

  /** The name that a class path's jar or folder of classes gets. */
  static String jarName(Path entry) {
    String name = entry.getFileName().toString();
    if (name.endsWith(".jar")) {
      return name;
    }
    Path module = entry.toAbsolutePath().normalize(); // MODULE/target/classes
    return module.getName(module.getNameCount() - 3) + "-" + name + ".jar";
  }

  /** Whether a file of a jar is taken. */
  static boolean taken(String entry) {
    if (entry.startsWith(CUDA)) {
      return CUDA_NATIVES.matcher(entry.substring(CUDA.length())).matches();
    }
    if (entry.startsWith(DEFAULT_MODEL) || USELESS.stream().anyMatch(entry::startsWith)) {
      return false;
    }
    if (entry.startsWith(TOKENIZERS) && nativeLibrary(entry)) {
      return entry.startsWith(TOKENIZERS + "linux-x86_64/cpu/");
    }
    if (entry.startsWith(JNA) && nativeLibrary(entry)) {
      return entry.startsWith(JNA + "linux-x86-64/");
    }
    return true;
  }

  private static boolean nativeLibrary(String entry) {
    return entry.matches(".*\\.(so|dll|dylib|jnilib|a)(\\.\\d+)*");
  }
}
