package io.millrace.inference.dashboard;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.inference.TestProgress;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingProgress;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whoever may write to a topic that the page reads can fill neither the memory nor break it. */
@Tag("unit")
class HostileRecordsTest {
  private static final StreamOffset AFTER = new StreamOffset(0, 1);
  private static final Instant NOW = Instant.parse("2026-11-28T10:00:00Z");

  private final DeadLetters letters = new DeadLetters();
  private final TrackedDomains domains = new TrackedDomains(3);
  private final ProgressIntake progress = new ProgressIntake(domains);

  private void letter(Map<String, String> headers) {
    letters.record("films".getBytes(UTF_8), new byte[0], headers::get, AFTER, NOW);
  }

  @Test
  void aMessageIsNotCutWithinACharacter() {
    letter(Map.of(Topics.DEAD_LETTER_ERROR_MESSAGE, "x".repeat(599) + "😀 and more"));

    assertThat(letters.latest().get(0).message()).isEqualTo("x".repeat(599) + "…");
  }

  @Test
  void aLetterTakesLittleMemoryWhateverItsHeadersHold() {
    String large = "x".repeat(1 << 20);
    letter(
        Map.of(
            Topics.DEAD_LETTER_ERROR_CLASS, large,
            Topics.DEAD_LETTER_FILE, large,
            Topics.DEAD_LETTER_LINE, large));

    DeadLetters.Letter letter = letters.latest().get(0);
    assertThat(letter.reason()).hasSizeLessThan(1000);
    assertThat(letter.from()).hasSizeLessThan(2000);
    assertThat(letters.counts().keySet()).allSatisfy(key -> assertThat(key).hasSizeLessThan(1000));
  }

  @Test
  void aNameThatNoDomainHasIsLeftOut() {
    progress.record(null, step("x".repeat(1 << 20), 1, 1), AFTER, NOW);

    assertThat(domains.<Integer>read(all -> all.size())).isZero();
    assertThat(progress.offsets()).containsEntry(0, 1L);
  }

  /** With batch.size=4096 they would take more than all the rest of a domain. */
  @Test
  void whichExamplesOfAStepWereRightIsNotKept() {
    progress.record(null, step("films", 1, 1), AFTER, NOW);

    TrainingProgress kept = domains.readOne("films", known -> known.training().orElseThrow());
    assertThat(kept.getStep()).isEqualTo(1);
    assertThat(kept.getCorrect()).isEmpty();
    assertThat(kept.getFrozen()).isNull();
    assertThat(domains.<Integer>readOne("films", known -> known.history().correct(0))).isEqualTo(8);
  }

  @Test
  void whatIsNoNumberIsNull() {
    progress.record(null, step("films", Double.POSITIVE_INFINITY, -1_000), AFTER, NOW);

    JsonNode json =
        domains.readOne("films", known -> DomainDetail.json("films", known, Set.of(), List.of()));
    assertThat(json.at("/training/loss").isNull()).isTrue();
    assertThat(json.toString()).doesNotContain("NaN", "Infinity");
  }

  private static DomainProgress step(String domain, double loss, long compared) {
    long[] sums = {compared, 8, 4};
    TrainingProgress training = TestProgress.training(1, NOW, 1, 8, 4, sums);
    training.setLoss(loss);
    return TestProgress.progress(domain, NOW, training);
  }
}
