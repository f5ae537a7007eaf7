package io.github.distrifuser.comm.local;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.reference.ReferenceBackend;
import io.github.distrifuser.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostBytesTest {

  /** As messages are that one buffer cannot hold. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 7, 16, 1000})
  void copiesArePiecedTogether(int longest) {
    try (Backend b = new ReferenceBackend(BackendOptions.defaults())) {
      Tensor source = b.allocate(4, 6).slice(1, 1, 4); // runs of 12 bytes
      Tensor target = b.allocate(3, 5).slice(1, 0, 4); // runs of 16 bytes
      float[] values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
      b.write(values, 0, source);
      HostBytes from = HostBytes.of(source);
      assertEquals(48, from.length());
      byte[] between = new byte[48];
      from.copyTo(HostBytes.of(between), longest);
      HostBytes.of(between).copyTo(HostBytes.of(target), longest);
      assertArrayEquals(values, b.toFloats(target));
      b.fill(target, 0);
      from.copyTo(HostBytes.of(target), longest);
      assertArrayEquals(values, b.toFloats(target));
    }
  }
}
