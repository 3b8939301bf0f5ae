package io.millrace.schemas.signing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class PayloadHashTest {
  /** The digest of "abc" in FIPS 180-4. */
  private static final String ABC =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

  @Test
  void aPayloadMatchesTheIdThatIsItsHash() {
    assertThat(PayloadHash.of("abc".getBytes(UTF_8), ABC).matches()).isTrue();
    assertThat(PayloadHash.of("abc".getBytes(UTF_8), ABC).fault()).isEmpty();
  }

  @Test
  void aChangedPayloadDoesNot() {
    PayloadHash hash = PayloadHash.of("abd".getBytes(UTF_8), ABC);

    assertThat(hash.matches()).isFalse();
    assertThat(hash.fault())
        .contains("its payload's SHA-256 is " + hash.actual() + ", its id " + ABC);
    assertThat(hash.id()).isEqualTo(ABC);
    assertThat(hash.actual()).hasSize(64).isNotEqualTo(ABC);
  }
}
