package io.millrace.schemas.signing;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The Ed25519 keys whose signatures of versions are trusted; see {@link AdapterSigner}. Without a
 * key, versions need no signature. Any thread may check.
 */
public final class TrustedKeys {
  /** Requires no signature. */
  public static final TrustedKeys NOT_CHECKED = new TrustedKeys(List.of());

  private final List<PublicKey> keys;

  private TrustedKeys(List<PublicKey> keys) {
    this.keys = List.copyOf(keys);
  }

  /**
   * Reads the keys.
   *
   * @param files Ed25519 public keys as PEM, one in each
   * @throws KeyFileException where a file cannot be read or holds no such key
   */
  public static TrustedKeys read(List<Path> files) {
    List<PublicKey> keys = new ArrayList<>();
    for (Path file : files) {
      byte[] der =
          AdapterSigner.pem(
              file, "PUBLIC KEY", "openssl pkey -in PRIVATE-KEY-FILE -pubout -out FILE");
      try {
        keys.add(
            KeyFactory.getInstance(AdapterSigner.ALGORITHM)
                .generatePublic(new X509EncodedKeySpec(der)));
      } catch (GeneralSecurityException e) {
        throw new KeyFileException("the key in " + file + " is not an Ed25519 public key");
      }
    }
    return new TrustedKeys(keys);
  }

  /**
   * The reason not to trust a version, in one line; empty where it can be trusted.
   *
   * @param sha256 computed from its payload, hexadecimal
   * @param signature of the version; null where it has none
   */
  public Optional<String> objection(String sha256, ByteBuffer signature) {
    if (keys.isEmpty()) {
      return Optional.empty();
    }
    if (signature == null) {
      return Optional.of("it is not signed, and serving.trustedKeys asks for a signature");
    }
    byte[] bytes = new byte[signature.remaining()];
    signature.duplicate().get(bytes);
    return keys.stream().anyMatch(key -> verifies(key, sha256, bytes))
        ? Optional.empty()
        : Optional.of("its signature is by none of the keys in serving.trustedKeys");
  }

  private static boolean verifies(PublicKey key, String sha256, byte[] bytes) {
    try {
      Signature signature = Signature.getInstance(AdapterSigner.ALGORITHM);
      signature.initVerify(key);
      signature.update(AdapterSigner.signed(sha256));
      return signature.verify(bytes);
    } catch (SignatureException e) {
      return false; // Malformed, for example of the wrong length.
    } catch (NoSuchAlgorithmException | InvalidKeyException e) {
      throw new IllegalStateException("Ed25519 does not work in this JVM", e);
    }
  }
}
