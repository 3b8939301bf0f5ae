package io.millrace.svft.tensor;

import com.amazon.corretto.crypto.provider.AmazonCorrettoCryptoProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.Provider;
import java.util.HexFormat;

/**
 * Computes SHA-256 in lower-case hexadecimal, the identity of versions, bases and states.
 *
 * <p>The JDK's own code reaches the processor's SHA instructions through the optimizing compiler
 * alone, without which training runs. A native library computes in its place, more than ten times
 * as fast.
 */
public final class Sha256 {
  private static final String NAME = "SHA-256";

  private Sha256() {}

  /** Loads the library with the first hash, once in a process. */
  private static final class Fastest {
    /** Null where the library cannot be loaded: the JDK's own code gives the same hashes. */
    static final Provider PROVIDER =
        AmazonCorrettoCryptoProvider.INSTANCE.getLoadingError() == null
            ? AmazonCorrettoCryptoProvider.INSTANCE
            : null;
  }

  public static MessageDigest digest() {
    try {
      return Fastest.PROVIDER == null
          ? MessageDigest.getInstance(NAME)
          : MessageDigest.getInstance(NAME, Fastest.PROVIDER);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** Completes the digest: 64 lower-case hexadecimal digits. */
  public static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  public static String of(byte[] bytes) {
    MessageDigest digest = digest();
    digest.update(bytes);
    return hex(digest);
  }

  /**
   * Hashes the content of a file.
   *
   * @throws IOException if the file cannot be read
   */
  public static String of(Path file) throws IOException {
    MessageDigest digest = digest();
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return hex(digest);
  }
}
