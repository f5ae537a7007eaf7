package io.github.distrifuser.coco;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.GZIPInputStream;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.compression.CompressionCodecFactory;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.xerial.snappy.Snappy;

/** Unpacks parquet's pages without Hadoop, whose codecs parquet would take otherwise. */
final class PageCodecs implements CompressionCodecFactory {

  @Override
  public BytesInputCompressor getCompressor(CompressionCodecName name) {
    throw new UnsupportedOperationException("for reading only");
  }

  @Override
  public BytesInputDecompressor getDecompressor(CompressionCodecName name) {
    return switch (name) {
      case UNCOMPRESSED -> new Pages((b, size) -> b);
      case SNAPPY -> new Pages((b, size) -> Snappy.uncompress(b));
      case ZSTD -> new Pages((b, size) -> Zstd.decompress(b, size));
      case GZIP -> new Pages((b, size) -> gunzip(b));
      default -> throw new IllegalArgumentException("pages compressed by " + name);
    };
  }

  private static byte[] gunzip(byte[] b) throws IOException {
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(b))) {
      return in.readAllBytes();
    }
  }

  @Override
  public void release() {}

  private interface Unpacking {
    byte[] unpack(byte[] packed, int size) throws IOException;
  }

  private record Pages(Unpacking unpacking) implements BytesInputDecompressor {
    @Override
    public BytesInput decompress(BytesInput bytes, int size) throws IOException {
      return BytesInput.from(unpacking.unpack(bytes.toInputStream().readAllBytes(), size));
    }

    @Override
    public void decompress(ByteBuffer in, int packedSize, ByteBuffer out, int size)
        throws IOException {
      byte[] packed = new byte[packedSize];
      in.get(packed);
      out.put(unpacking.unpack(packed, size));
    }

    @Override
    public void release() {}
  }
}
