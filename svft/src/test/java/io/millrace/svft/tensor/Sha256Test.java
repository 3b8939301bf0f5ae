package io.millrace.svft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class Sha256Test {
  /** FIPS 180-4's example. */
  @Test
  void itIsSha256() {
    assertThat(Sha256.of("abc".getBytes()))
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }

  @Test
  void itIsThatOfTheJdkForArraysAndForBuffersOutsideOfTheHeapInAnyParts() throws Exception {
    byte[] bytes = new byte[300_001];
    new Random(1).nextBytes(bytes);
    ByteBuffer outside = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    MessageDigest parts = Sha256.digest();
    parts.update(outside.slice(0, 17));
    parts.update(bytes, 17, 100_000);
    parts.update(outside.slice(100_017, bytes.length - 100_017));

    MessageDigest jdk = MessageDigest.getInstance("SHA-256", "SUN");
    jdk.update(bytes);
    assertThat(Sha256.hex(parts)).isEqualTo(Sha256.of(bytes)).isEqualTo(Sha256.hex(jdk));
  }

  /**
   * Otherwise hashes of states and versions take ten times as long where Java does not optimize.
   */
  @Test
  void theProcessorsOwnInstructionsComputeIt() {
    assertThat(Sha256.digest().getProvider().getName()).isEqualTo("AmazonCorrettoCryptoProvider");
  }
}
