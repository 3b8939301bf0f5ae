package io.millrace.client.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.rollout.RolloutReading.Counts;
import io.millrace.client.rollout.RolloutReading.LeftOut;
import io.millrace.client.rollout.RolloutReading.OfTheOtherKind;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import java.time.Instant;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class RolloutReadingTest {
  private static final int PARTITIONS = 4;
  private static final int OWN = DomainPartition.of("news", PARTITIONS);

  private final RolloutReading decisions = new RolloutReading(RolloutKind.DECISIONS, PARTITIONS);
  private final RolloutReading publications =
      new RolloutReading(RolloutKind.PUBLICATIONS, PARTITIONS);

  @Test
  void eachReaderCountsTheEventsOfItsKind() {
    RolloutEvent pin = event(RolloutAction.PIN);
    RolloutEvent drift = event(RolloutAction.DRIFT);
    RolloutEvent published = event(RolloutAction.PUBLISHED);

    assertThat(decisions.read(OWN, pin)).isEqualTo(new Counts(pin));
    assertThat(decisions.read(OWN, drift)).isEqualTo(new Counts(drift));
    assertThat(decisions.read(OWN, published)).isEqualTo(new OfTheOtherKind(published));
    assertThat(publications.read(OWN, published)).isEqualTo(new Counts(published));
    assertThat(publications.read(OWN, pin)).isEqualTo(new OfTheOtherKind(pin));
  }

  @Test
  void anEventOutsideThePartitionOfItsDomainIsLeftOut() {
    int other = (OWN + 1) % PARTITIONS;

    assertThat(decisions.read(other, event(RolloutAction.PIN)))
        .isEqualTo(
            new LeftOut(
                "it is of domain news, whose partition is %d: its key is not that domain, or its"
                        .formatted(OWN)
                    + " writer chooses partitions otherwise than Kafka's own"));
  }

  @Test
  void whatIsNoEventIsLeftOut() {
    assertThat(publications.read(OWN, null)).isEqualTo(new LeftOut("it has no value"));
    assertThat(RolloutReading.unreadable(new UnreadableRecordException("no such schema")))
        .isEqualTo(new LeftOut("no such schema"));
  }

  private static RolloutEvent event(RolloutAction action) {
    return RolloutEvent.newBuilder()
        .setEventId("id")
        .setDomain("news")
        .setAction(action)
        .setAuthor("someone")
        .setReason("")
        .setCreatedAt(Instant.EPOCH)
        .build();
  }
}
