package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.RankEnvironment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** What the ranks of a run prove to each other. */
final class Credentials {
  static final int NONCE = 32;
  static final int PROOF = 32;
  private static final String ALGORITHM = "HmacSHA256";

  private final SecretKeySpec secret;
  private final String runKey;
  private final SecureRandom random = new SecureRandom();

  Credentials(RankEnvironment env) {
    this.secret = new SecretKeySpec(env.secret().getBytes(StandardCharsets.UTF_8), ALGORITHM);
    this.runKey = env.runKey();
  }

  byte[] nonce() {
    byte[] n = new byte[NONCE];
    random.nextBytes(n);
    return n;
  }

  /**
   * What only a rank of this start of this run can say, and only now.
   *
   * @param byListener who says it: the end that accepted the connection, or the other
   * @param listener rank of the end that accepted the connection
   */
  byte[] proof(boolean byListener, int listener, byte[] connectorNonce, byte[] listenerNonce) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(secret);
      mac.update((byte) (byListener ? 1 : 0));
      mac.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, listener));
      mac.update(connectorNonce); // of fixed length, as is all before the key
      mac.update(listenerNonce);
      return mac.doFinal(runKey.getBytes(StandardCharsets.UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JVM has no " + ALGORITHM, e);
    }
  }

  /** Takes as long for a wrong proof as for a right one. */
  static boolean same(byte[] proof, byte[] expected) {
    return MessageDigest.isEqual(proof, expected);
  }
}
