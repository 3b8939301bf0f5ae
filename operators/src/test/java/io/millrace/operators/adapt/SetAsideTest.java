package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Limits;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.training.TrainingSettings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A domain whose version fits into no record. A version every two steps of four examples; one of
 * two labels takes 64 KB, each label 1.5 KB.
 */
@Tag("unit")
class SetAsideTest {
  /** Room for some ten labels. */
  private static final Limits SMALL = Limits.DEFAULT.withRecords(70_000, 64L << 20);

  private static final Limits LARGE = Limits.DEFAULT.withRecords(120_000, 64L << 20);

  @Test
  void theOthersGoOn() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(SMALL));
        AdaptHarness alone = AdaptHarness.start(MiniLm.settings(SMALL))) {
      adapt.receive("small", 0, 4);
      large(adapt, 0, 20);
      adapt.receive("small", 4, 24);
      large(adapt, 20, 23);
      adapt.endOfInput();
      alone.receive("small", 0, 24);
      alone.endOfInput();

      assertThat(adapt.versions()).extracting(AdapterVersion::getDomain).containsOnly("small");
      assertThat(adapt.versions())
          .extracting(AdapterVersion::getSha256)
          .isEqualTo(alone.versions().stream().map(AdapterVersion::getSha256).toList())
          .hasSize(3);
    }
  }

  @Test
  void itsLaterExamplesAreDeadLettersThatSayWhy() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(SMALL))) {
      large(adapt, 0, 20);

      assertThat(adapt.steps("large")).extracting(TrainingStep::getStep).containsExactly(1L, 2L);
      assertThat(adapt.state("large").getVersion()).isZero();
      assertThat(adapt.deadLetters())
          .hasSize(12)
          .allSatisfy(
              letter ->
                  assertThat(letter.getHeaders())
                      .containsEntry(Topics.DEAD_LETTER_ERROR_CLASS, "DomainSetAside")
                      .hasEntrySatisfying(
                          Topics.DEAD_LETTER_ERROR_MESSAGE,
                          why ->
                              assertThat(why)
                                  .startsWith("version 1 has 8 labels and takes ")
                                  .contains("a record holds 70000")));
      assertThat(adapt.deadLetters().get(0).getValue()).isEqualTo(Received.bytes("value 8"));
    }
  }

  @Test
  void itStaysSetAsideAfterARestoreAndGoesOnWhereARecordMayBeLarger() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(SMALL))) {
      large(adapt, 0, 9);
      try (AdaptHarness again = AdaptHarness.restore(MiniLm.settings(SMALL), adapt.snapshot());
          AdaptHarness larger = AdaptHarness.restore(MiniLm.settings(LARGE), adapt.snapshot())) {
        large(again, 9, 13);
        large(larger, 9, 13);

        assertThat(again.deadLetters()).hasSize(4);
        assertThat(larger.deadLetters()).isEmpty();
        assertThat(larger.versions()).extracting(AdapterVersion::getVersion).containsExactly(1L);
        assertThat(larger.steps()).extracting(TrainingStep::getStep).containsExactly(3L);
      }
    }
  }

  @Test
  void anExampleThatWaitsInABatchOfItIsADeadLetterToo() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(SMALL))) {
      large(adapt, 0, 7);
      // Closes the batch of three, whose version does not fit, and opens the next one.
      adapt.receive(late(7));
      assertThat(adapt.deadLetters()).isEmpty();
      adapt.receive(late(8));

      assertThat(adapt.deadLetters())
          .extracting(letter -> letter.getHeaders().get(Topics.DEAD_LETTER_OFFSET))
          .containsExactly("7", "8");
    }
  }

  @Test
  void aMethodWhoseVersionsFitIntoNoRecordDoesNotStart() {
    TrainingSettings full = TrainingSettings.defaults(AdapterMethod.parse("full"));

    assertThatThrownBy(() -> AdaptHarness.start(MiniLm.settings(full, MiniLm.STORE, SMALL)))
        .isInstanceOf(PermanentFailureException.class)
        .hasMessage(
            "a version of minilm with the adapter method full takes more than 42467328 bytes, a"
                + " record of the topic adapters holds 70000: adapt fewer weights, or choose"
                + " another method");
  }

  @Test
  void aSnapshotThatFitsIntoNoRecordIsLeftOut() throws Exception {
    try (AdaptHarness adapt =
        AdaptHarness.start(MiniLm.settings(Limits.DEFAULT.withRecords(64L << 20, 100_000)))) {
      adapt.receive("a", 0, 16);

      assertThat(adapt.versions()).hasSize(2);
      assertThat(adapt.snapshots()).isEmpty();
    }
  }

  /** Eight labels. */
  private static void large(AdaptHarness adapt, int from, int to) throws Exception {
    for (int offset = from; offset < to; offset++) {
      adapt.receive(Received.labeled("large", offset, "label " + offset % 8));
    }
  }

  private static ReceivedExample late(int offset) {
    ReceivedExample example = Received.labeled("large", offset, "label " + offset);
    example.setTimestamp(10_000L + offset);
    return example;
  }
}
