package io.github.distrifuser.comm;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Makes sure that ranks do the same thing before they start on it. */
public final class Agreement {
  private static final int SHOWN = 80;

  private record Statement(int worldRank, Map<String, String> facts) {}

  private Agreement() {}

  /**
   * Compares what the ranks of a group hold to be true. Called by all of them at the same point.
   *
   * @param facts such as the model's checksum or the image's size; each text below 64 KiB
   * @throws CommException on all ranks, where two disagree: it names the rank, the fact and both
   *     values
   */
  public static void agree(Communicator group, Map<String, String> facts) {
    List<byte[]> all = group.allGatherBytes(encode(new Statement(group.worldRank(), facts)));
    Statement first = decode(all.get(0));
    for (byte[] b : all) {
      Statement other = decode(b);
      String difference = difference(first.worldRank, first.facts, other.worldRank, other.facts);
      if (difference != null) {
        throw new CommException(other.worldRank, difference);
      }
    }
  }

  /** What to say of the first fact on which a rank disagrees with another, or null. */
  public static @Nullable String difference(
      int rank, Map<String, String> facts, int otherRank, Map<String, String> otherFacts) {
    TreeSet<String> keys = new TreeSet<>(facts.keySet());
    keys.addAll(otherFacts.keySet());
    for (String key : keys) {
      String ours = facts.get(key);
      String theirs = otherFacts.get(key);
      if (!Objects.equals(ours, theirs)) {
        return "rank %d disagrees with rank %d: %s %s against %s"
            .formatted(otherRank, rank, key, shown(theirs), shown(ours));
      }
    }
    return null;
  }

  private static String shown(@Nullable String value) {
    if (value == null) {
      return "(none)";
    }
    return value.length() > SHOWN ? value.substring(0, SHOWN) + "…" : value;
  }

  private static byte[] encode(Statement statement) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(statement.worldRank);
      out.writeInt(statement.facts.size());
      for (Map.Entry<String, String> e : statement.facts.entrySet()) {
        out.writeUTF(e.getKey());
        out.writeUTF(e.getValue());
      }
    } catch (IOException e) {
      throw new IllegalArgumentException("a fact is too long", e);
    }
    return bytes.toByteArray();
  }

  private static Statement decode(byte[] bytes) {
    Map<String, String> facts = new TreeMap<>();
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      int worldRank = in.readInt();
      int n = in.readInt();
      for (int i = 0; i < n; i++) {
        String key = in.readUTF();
        facts.put(key, in.readUTF());
      }
      return new Statement(worldRank, facts);
    } catch (IOException e) {
      throw new CommException(-1, "a rank sent no facts where others did", e);
    }
  }
}
