package io.millrace.schemas.signing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class AdapterSignatureTest {
  private static final String SHA256 = "ab".repeat(32);

  @TempDir private Path directory;

  @Test
  void aSignatureIsBelievedByWhomItsKeyIsTrusted() throws Exception {
    KeyPair ours = pair("Ed25519");
    KeyPair another = pair("Ed25519");
    ByteBuffer signature = AdapterSigner.read(privateKey(ours)).sign(SHA256);

    TrustedKeys trusted = TrustedKeys.read(List.of(publicKey(another), publicKey(ours)));
    assertThat(trusted.objection(SHA256, signature)).isEmpty();
    assertThat(trusted.objection(SHA256, signature)).as("asked again").isEmpty();
    assertThat(TrustedKeys.read(List.of(publicKey(another))).objection(SHA256, signature))
        .contains("its signature is by none of the keys in serving.trustedKeys");
  }

  @Test
  void nothingElseIsBelieved() throws Exception {
    KeyPair ours = pair("Ed25519");
    ByteBuffer signature = AdapterSigner.read(privateKey(ours)).sign(SHA256);
    TrustedKeys trusted = TrustedKeys.read(List.of(publicKey(ours)));

    assertThat(trusted.objection(SHA256, null))
        .contains("it is not signed, and serving.trustedKeys asks for a signature");
    assertThat(trusted.objection("cd".repeat(32), signature)).isPresent();
    assertThat(trusted.objection(SHA256, ByteBuffer.allocate(0))).isPresent();
    assertThat(trusted.objection(SHA256, ByteBuffer.allocate(64))).isPresent();
    assertThat(trusted.objection(SHA256, ByteBuffer.allocate(65))).isPresent();
    for (int i = 0; i < 64; i++) {
      byte[] bytes = signature.array().clone();
      bytes[i] ^= 1;
      assertThat(trusted.objection(SHA256, ByteBuffer.wrap(bytes))).as("byte %d", i).isPresent();
    }
  }

  @Test
  void withoutKeysNothingIsAskedFor() {
    assertThat(TrustedKeys.NOT_CHECKED.objection(SHA256, null)).isEmpty();
    assertThat(TrustedKeys.NOT_CHECKED.objection(SHA256, ByteBuffer.allocate(3))).isEmpty();
  }

  /** RFC 8032, 7.1, test 1: the key, and what another implementation signs with it. */
  @Test
  void itIsTheEd25519OfTheRfc() throws Exception {
    String pkcs8 = "302e020100300506032b657004220420";
    String secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    String spki = "302a300506032b6570032100";
    String point = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    Path privateKey = pem("PRIVATE KEY", HexFormat.of().parseHex(pkcs8 + secret));
    Path publicKey = pem("PUBLIC KEY", HexFormat.of().parseHex(spki + point));

    ByteBuffer signature = AdapterSigner.read(privateKey).sign(SHA256);

    assertThat(TrustedKeys.read(List.of(publicKey)).objection(SHA256, signature)).isEmpty();
  }

  @Test
  void aFileThatIsNoKeyIsSaidToBeNone() throws Exception {
    Path missing = directory.resolve("missing.pem");
    Path empty = Files.writeString(directory.resolve("empty.pem"), "");
    Path broken = pem("PRIVATE KEY", "no DER".getBytes(UTF_8));
    Path elliptic = privateKey(pair("EC"));
    Path ours = publicKey(pair("Ed25519"));

    assertThatThrownBy(() -> AdapterSigner.read(missing))
        .isInstanceOf(KeyFileException.class)
        .hasMessage("the key " + missing + " cannot be read: there is no such file");
    assertThatThrownBy(() -> AdapterSigner.read(empty))
        .hasMessage(
            empty
                + " holds no PEM block \"PRIVATE KEY\"; make one with: openssl genpkey -algorithm"
                + " ed25519 -out FILE");
    for (Path other : List.of(broken, elliptic)) {
      assertThatThrownBy(() -> AdapterSigner.read(other))
          .hasMessage("the key in " + other + " is not an Ed25519 private key");
    }
    assertThatThrownBy(() -> AdapterSigner.read(ours)).hasMessageContaining("no PEM block");
    assertThatThrownBy(() -> TrustedKeys.read(List.of(ours, elliptic)))
        .isInstanceOf(KeyFileException.class)
        .hasMessageContaining("\"PUBLIC KEY\"");
    Path ellipticPublic = publicKey(pair("EC"));
    assertThatThrownBy(() -> TrustedKeys.read(List.of(ellipticPublic)))
        .hasMessage("the key in " + ellipticPublic + " is not an Ed25519 public key");
  }

  private static KeyPair pair(String algorithm) throws Exception {
    return KeyPairGenerator.getInstance(algorithm).generateKeyPair();
  }

  private Path privateKey(KeyPair pair) throws Exception {
    return pem("PRIVATE KEY", pair.getPrivate());
  }

  private Path publicKey(KeyPair pair) throws Exception {
    return pem("PUBLIC KEY", pair.getPublic());
  }

  private Path pem(String type, Key key) throws Exception {
    return pem(type, key.getEncoded());
  }

  private Path pem(String type, byte[] der) throws Exception {
    String text =
        "-----BEGIN %s-----%n%s%n-----END %s-----%n"
            .formatted(type, Base64.getMimeEncoder().encodeToString(der), type);
    return Files.writeString(Files.createTempFile(directory, "key", ".pem"), text);
  }
}
