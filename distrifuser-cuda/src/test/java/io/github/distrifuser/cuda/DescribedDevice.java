package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR;

import io.github.distrifuser.cuda.CudnnGraph.Descriptor;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** GPUs that are not here, as NVIDIA's data sheets describe them, in cuDNN's words. */
enum DescribedDevice {
  A100("NVIDIA A100-SXM4-80GB", 800, 108, 166_912, 40, 1_410_000, 1_593_000, 5120, 80),
  H100("NVIDIA H100 80GB HBM3", 900, 132, 232_448, 50, 1_980_000, 2_619_000, 5120, 80),
  B200("NVIDIA B200", 1000, 148, 232_448, 126, 1_965_000, 3_996_000, 8192, 178);

  private final String json;

  DescribedDevice(
      String name,
      int version,
      int multiprocessors,
      int sharedBytes,
      int cacheMegabytes,
      int clock,
      int memoryClock,
      int memoryBits,
      long gigabytes) {
    json =
        String.format(
            Locale.ROOT,
            "{\"deviceVer\":%d,\"multiProcessorCount\":%d,\"smCountOrigin\":0,\"warpSize\":32,"
                + "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":%d,"
                + "\"oversizedSharedMemoryPerBlock\":0,"
                + "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,"
                + "\"maxCtasPerSM\":32,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,"
                + "\"regsPerBlock\":65536,\"totalGlobalMem\":%d,\"smClockRateKHz\":%d,"
                + "\"l2CacheSize\":%d,\"maxBlockSize\":[1024,1024,64],\"memClockRateKHz\":%d,"
                + "\"memoryBusWidth\":%d,"
                + "\"maxGridSize\":[2147483647,65535,65535],\"supportCoopLaunch\":1,"
                + "\"pciDeviceId\":0,\"isTccDriver\":0,\"cudaDeviceId\":0,\"driverVer\":13010,"
                + "\"deviceName\":\"%s\"}",
            version,
            multiprocessors,
            sharedBytes,
            gigabytes << 30,
            clock,
            (long) cacheMegabytes << 20,
            memoryClock,
            memoryBits,
            name);
  }

  /** A descriptor of the device. */
  Descriptor describe() {
    return new Descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "device description")
        .text(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, json.getBytes(StandardCharsets.US_ASCII))
        .complete();
  }
}
