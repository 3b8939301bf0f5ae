package io.millrace.schemas.signing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Signs versions with an Ed25519 key (RFC 8032). The signed message is {@code "millrace adapter "}
 * and the version's identity, the SHA-256 of its payload in hexadecimal, in UTF-8. So a signature
 * covers the payload and no other field of the record, and stays valid where the record is written
 * again.
 *
 * <p>Any thread may sign.
 */
public final class AdapterSigner {
  static final String ALGORITHM = "Ed25519";

  private final PrivateKey key;

  private AdapterSigner(PrivateKey key) {
    this.key = key;
  }

  /**
   * Reads a key.
   *
   * @param file an Ed25519 private key, PKCS#8 as PEM
   * @throws KeyFileException where the file cannot be read or holds no such key
   */
  public static AdapterSigner read(Path file) {
    byte[] der = pem(file, "PRIVATE KEY", "openssl genpkey -algorithm ed25519 -out FILE");
    try {
      return new AdapterSigner(
          KeyFactory.getInstance(ALGORITHM).generatePrivate(new PKCS8EncodedKeySpec(der)));
    } catch (GeneralSecurityException e) {
      throw new KeyFileException("the key in " + file + " is not an Ed25519 private key");
    }
  }

  /**
   * Signs a version.
   *
   * @param sha256 of the payload, hexadecimal
   * @return the signature, 64 bytes
   */
  public ByteBuffer sign(String sha256) {
    try {
      Signature signature = Signature.getInstance(ALGORITHM);
      signature.initSign(key);
      signature.update(signed(sha256));
      return ByteBuffer.wrap(signature.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Ed25519 does not work in this JVM", e);
    }
  }

  static byte[] signed(String sha256) {
    return ("millrace adapter " + sha256).getBytes(UTF_8);
  }

  /** The decoded content of the first PEM block of that type in a file. */
  static byte[] pem(Path file, String type, String howToMakeOne) {
    String text;
    try {
      text = Files.readString(file);
    } catch (IOException e) {
      String why = Files.exists(file) ? e.toString() : "there is no such file";
      throw new KeyFileException("the key " + file + " cannot be read: " + why);
    }
    Matcher block =
        Pattern.compile("-----BEGIN " + type + "-----([^-]*)-----END " + type + "-----")
            .matcher(text);
    try {
      if (block.find()) {
        return Base64.getMimeDecoder().decode(block.group(1));
      }
    } catch (IllegalArgumentException e) {
      // Reported below.
    }
    throw new KeyFileException(
        file + " holds no PEM block \"" + type + "\"; make one with: " + howToMakeOne);
  }
}
