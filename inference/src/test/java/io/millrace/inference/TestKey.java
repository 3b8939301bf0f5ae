package io.millrace.inference;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.signing.AdapterSigner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Base64;

/** A key to sign versions with, and the file that says who is trusted. */
record TestKey(AdapterSigner signer, Path publicKey) {
  static TestKey create(Path directory) throws GeneralSecurityException, IOException {
    KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    return new TestKey(
        AdapterSigner.read(pem(directory, "PRIVATE KEY", pair.getPrivate())),
        pem(directory, "PUBLIC KEY", pair.getPublic()));
  }

  private static Path pem(Path directory, String type, Key key) throws IOException {
    String base64 = Base64.getMimeEncoder().encodeToString(key.getEncoded());
    return Files.writeString(
        Files.createTempFile(directory, "key", ".pem"),
        "-----BEGIN %s-----%n%s%n-----END %s-----%n".formatted(type, base64, type));
  }

  AdapterVersion sign(AdapterVersion version) {
    return AdapterVersion.newBuilder(version)
        .setSignature(signer.sign(version.getSha256()))
        .build();
  }
}
