package io.millrace.inference.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.inference.TestProgress;
import io.millrace.inference.log.GroupLag;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whether anything needs somebody, by what is known of the job. */
@Tag("unit")
class OverviewTest {
  private static final Instant NOW = Instant.parse("2026-11-28T10:00:00Z");

  private final TrackedDomains domains = new TrackedDomains(3);
  private final Replicas replicas = new Replicas(List::of, domains, 3);

  private List<String> needs(long waiting, boolean caughtUp) {
    Overview overview =
        new Overview(replicas, Optional.of(new GroupLag.Lag(waiting, false)), caughtUp, NOW);
    JsonNode json = domains.read(overview::add).json(0);
    return json.get("needs").findValuesAsText("text");
  }

  private void stepped(Duration ago) {
    Instant at = NOW.minus(ago);
    domains.take(
        TestProgress.progress(
            "films", at, TestProgress.training(1, at, 0, 8, 4, new long[] {16, 8, 4})));
  }

  @Test
  void aJobThatTookNoStepForADayNeedsSomebody() {
    assertThat(needs(100, true))
        .containsExactly("No training step was reported in the last day, and 100 examples wait.");
  }

  @Test
  void whileTheTopicsAreReadNobodyKnows() {
    assertThat(needs(100, false)).isEmpty();
  }

  @Test
  void aJobThatStandsStillNeedsSomebodyAndOneThatHasNothingToDoDoesNot() {
    stepped(Duration.ofMinutes(3));

    assertThat(needs(100, true))
        .containsExactly("No training step for 3 min, and 100 examples wait.");
    assertThat(needs(0, true)).isEmpty();
  }

  @Test
  void aJobThatTakesStepsDoesNot() {
    stepped(Duration.ofSeconds(30));

    assertThat(needs(100, true)).isEmpty();
  }

  /** Who waits for the page while the process ends is still answered. */
  @Test
  void afterItsEndNothingIsAskedAndAllCanBeLookedAt() {
    Replicas ended = new Replicas(() -> List.of(URI.create("http://127.0.0.1:1/")), domains, 3);
    ended.close();

    ended.look();

    assertThat(ended.reports("films")).isEmpty();
    assertThat(ended.states()).singleElement().extracting(Replicas.State::asked).isEqualTo(false);
  }
}
