package io.github.distrifuser.cuda.kernels;

import static org.bytedeco.cuda.global.nvrtc.NVRTC_SUCCESS;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCompileProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCreateProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcDestroyProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBIN;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBINSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetErrorString;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLog;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLogSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcVersion;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * NVIDIA's runtime compiler. It needs its library, no GPU and no driver. The library is loaded when
 * an object is made; where it is missing, that is an {@link UnsatisfiedLinkError}.
 */
public final class NvrtcCompiler implements KernelCompiler {
  private static final Logger LOG = LoggerFactory.getLogger(NvrtcCompiler.class);

  /** No fast-math: results stay those of IEEE arithmetic, but for contraction to fma. */
  private static final List<String> OPTIONS = List.of("--std=c++17");

  private final String version;
  private final boolean strict;

  /**
   * Loads the library.
   *
   * @param strict whether warnings are errors; else they are logged
   */
  public NvrtcCompiler(boolean strict) {
    this.strict = strict;
    int[] major = new int[1];
    int[] minor = new int[1];
    check("nvrtcVersion", nvrtcVersion(major, minor));
    this.version = "nvrtc " + major[0] + "." + minor[0];
  }

  @Override
  public String version() {
    return version;
  }

  @Override
  public List<String> options() {
    return OPTIONS;
  }

  @Override
  public byte[] compile(KernelSource source, String architecture) {
    List<String> options = new ArrayList<>(OPTIONS);
    options.add("--gpu-architecture=" + architecture);
    try (_nvrtcProgram program = new _nvrtcProgram();
        BytePointer text = bytes(source.text());
        BytePointer name = bytes(source.name() + ".cu")) {
      check(
          "nvrtcCreateProgram",
          nvrtcCreateProgram(
              program, text, name, 0, (PointerPointer<?>) null, (PointerPointer<?>) null));
      try {
        int result = compile(program, options);
        String log = log(program);
        String what = source + " for " + architecture + " by " + version + ": ";
        if (result != NVRTC_SUCCESS) {
          throw new KernelCompilationException(what + errorString(result) + "\n" + log);
        }
        if (!log.isEmpty()) {
          if (strict) {
            throw new KernelCompilationException(what + "warnings\n" + log);
          }
          LOG.warn("{}{}", what, log);
        }
        return cubin(program);
      } finally {
        nvrtcDestroyProgram(program);
      }
    }
  }

  private static int compile(_nvrtcProgram program, List<String> options) {
    try (PointerPointer<BytePointer> list = new PointerPointer<>(options.size())) {
      List<BytePointer> texts = new ArrayList<>();
      for (String option : options) {
        BytePointer text = bytes(option);
        list.put(texts.size(), text);
        texts.add(text);
      }
      int result = nvrtcCompileProgram(program, options.size(), list);
      texts.forEach(BytePointer::close);
      return result;
    }
  }

  private static String log(_nvrtcProgram program) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check("nvrtcGetProgramLogSize", nvrtcGetProgramLogSize(program, size));
      byte[] log = new byte[Math.toIntExact(size.get())];
      if (log.length > 0) {
        check("nvrtcGetProgramLog", nvrtcGetProgramLog(program, log));
      }
      String text = new String(log, StandardCharsets.UTF_8);
      int end = text.indexOf('\0');
      return (end < 0 ? text : text.substring(0, end)).trim();
    }
  }

  private static byte[] cubin(_nvrtcProgram program) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check("nvrtcGetCUBINSize", nvrtcGetCUBINSize(program, size));
      byte[] cubin = new byte[Math.toIntExact(size.get())];
      check("nvrtcGetCUBIN", nvrtcGetCUBIN(program, cubin));
      return cubin;
    }
  }

  private static BytePointer bytes(String s) {
    return new BytePointer(s, StandardCharsets.UTF_8);
  }

  private static void check(String call, int result) {
    if (result != NVRTC_SUCCESS) {
      throw new KernelCompilationException(call + ": " + errorString(result));
    }
  }

  private static String errorString(int result) {
    try (BytePointer text = nvrtcGetErrorString(result)) {
      return text == null ? "error " + result : text.getString();
    }
  }
}
