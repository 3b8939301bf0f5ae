package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.Models;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@Tag("unit")
@ExtendWith(Models.class)
class MiniLmImportTest {
  private final BaseModel base;

  MiniLmImportTest(@Models.MiniLm BaseModel base) {
    this.base = base;
  }

  /** A basis is the same on every machine. Adapters record these hashes. */
  @Test
  void hashesOfTheBaseAndItsBasisAreThoseOfEveryOtherMachine() {
    assertThat(base.baseSha256())
        .isEqualTo("2c1ddbe6f92a30bb64a1577cc5c7085355e9349dc64f8bb78e11ebbec3541b59");
    assertThat(base.basisSha256())
        .isEqualTo("0459084cac864004347775e6ce2f588ec5837cc006e33ad29ddf67a3b0ca06ac");
  }

  @Test
  void thePlainPatternHas13824TrainableValues() {
    assertThat(AdapterLayout.of(base.config(), AdapterMethod.parse("svft:plain")).size())
        .isEqualTo(13_824);
  }
}
