package io.millrace.inference.feedback;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.UsageException;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.task.Classification;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ServedRequestsTest {
  private static final Duration WINDOW = Duration.ofMinutes(10);
  private static final int MAX = 5000;
  private static final ServedRequest.Example GOOD = new ServedRequest.Example("good", 3, 77);

  @TempDir private Path directory;
  private Instant now = Instant.parse("2026-01-02T03:04:05.678Z");
  private ServedRequests requests;

  @BeforeEach
  void open() {
    requests = ServedRequests.open(directory.resolve("open"), WINDOW, MAX, () -> now);
  }

  @AfterEach
  void close() {
    requests.close();
  }

  @Test
  void whatIsRememberedIsWhatWasAnswered() {
    remember("a", "a text");

    assertThat(requests.find("a"))
        .contains(
            new ServedRequest(1, now, "films", "a text", "good", "films", 7, "abc", null, null));
    assertThat(requests.find("b")).isEmpty();
  }

  @Test
  void aRequestBelongsToTheDomainThatWasAskedWhoeverAnswered() {
    StoredVersion version =
        new StoredVersion("films", 7, "abc", null, List.of("only"), 1, 1, Instant.EPOCH, null);
    Prediction ofParent = new Prediction(version, new Classification(), new float[] {1}, null);
    Prediction ofBase = new Prediction(null, null, new float[0], new float[] {1, 2});

    assertThat(requests.remember("a", "films/old", "x", ofParent)).isTrue();
    assertThat(requests.remember("b", "books", "x", ofBase)).isTrue();

    assertThat(requests.find("a"))
        .contains(
            new ServedRequest(1, now, "films/old", "x", "only", "films", 7, "abc", null, null));
    assertThat(requests.find("b"))
        .contains(new ServedRequest(2, now, "books", "x", "", null, 0, "", null, null));
    assertThat(ServedRequests.request(ServedRequests.node(find("b")))).isEqualTo(find("b"));
    assertThat(requests.remember("a", "films", "x", ofParent)).isFalse();
  }

  @Test
  void aRequestOfAnEarlierReleaseWasAnsweredByItsDomain() {
    ObjectNode old = ServedRequests.node(remembered("a"));
    old.remove("servedDomain");

    assertThat(ServedRequests.request(old).servedDomain()).isEqualTo("films");
  }

  private ServedRequest remembered(String id) {
    remember(id, "a text");
    return find(id);
  }

  @Test
  void aRequestIsForgottenWhenItsTimeIsOver() {
    remember("a", "x");
    now = now.plus(WINDOW).minusMillis(1);
    remember("b", "x");
    assertThat(requests.find("a")).isPresent();

    now = now.plusMillis(1);

    assertThat(requests.find("a")).isEmpty();
    assertThat(requests.count()).isEqualTo(2);
    requests.forget();
    assertThat(requests.count()).isEqualTo(1);
    now = now.minusMillis(1);
    assertThat(requests.find("a")).as("it is deleted, not hidden").isEmpty();
    assertThat(requests.find("b")).isPresent();
  }

  @Test
  void ofMoreThanMayBeRememberedTheLatestAre() {
    for (int i = 0; i < MAX + 2500; i++) {
      remember("r" + i, "x");
    }
    assertThat(requests.find("r2499")).isEmpty();
    assertThat(requests.find("r2500")).isPresent();

    requests.forget();

    assertThat(requests.count()).isEqualTo(MAX);
    assertThat(requests.find("r2500")).isPresent();
  }

  @Test
  void anIdInUseIsKeptForTheFirstAndAfterItsTimeItIsFree() {
    assertThat(remember("a", "first")).isTrue();
    requests.made("a", find("a"), GOOD);
    assertThat(remember("a", "second")).isFalse();
    assertThat(remember("a", "first")).as("the same again").isTrue();
    assertThat(find("a").text()).isEqualTo("first");
    assertThat(find("a").example()).isEqualTo(GOOD);
    assertThat(requests.count()).isEqualTo(1);

    now = now.plus(WINDOW);

    assertThat(remember("a", "second")).isTrue();
    requests.forget();
    assertThat(find("a").text()).isEqualTo("second");
    assertThat(find("a").example()).isNull();
  }

  @Test
  void anExampleOfARequestThatIsOverIsNotTheNextOnes() {
    remember("a", "first");
    ServedRequest first = find("a");
    now = now.plus(WINDOW);
    remember("a", "second");

    requests.made("a", first, GOOD);

    assertThat(find("a").example()).isNull();
    requests.made("a", find("a"), GOOD);
    assertThat(find("a").example()).isEqualTo(GOOD);
    assertThat(find("a").text()).isEqualTo("second");
  }

  @Test
  void aClockThatIsSetBackMakesNothingLastLonger() {
    remember("a", "x");
    Instant before = now;
    now = now.minusSeconds(100);
    remember("b", "x");

    assertThat(find("b").at()).isEqualTo(before);
    now = before.plus(WINDOW);
    requests.forget();
    assertThat(requests.count()).isZero();
  }

  @Test
  void aTextThatIsTooLongForAnExampleIsNotKept() {
    remember("fits", "\u20ac".repeat(ServedRequest.MAX_TEXT_BYTES / 3));
    remember("does not", "\u20ac".repeat(ServedRequest.MAX_TEXT_BYTES / 3 + 1));

    assertThat(find("fits").text()).hasSize(ServedRequest.MAX_TEXT_BYTES / 3);
    assertThat(find("does not").text()).isNull();
  }

  @Test
  void aRestartRemembersAndCountsOn() {
    remember("a", "x");
    requests.made("a", find("a"), GOOD);
    requests.close();
    open();
    remember("b", "x");

    assertThat(find("a").example()).isEqualTo(GOOD);
    assertThat(find("b").number()).isEqualTo(2);
    assertThat(requests.count()).isEqualTo(2);
  }

  @Test
  void whatAKilledProcessLeavesHoldsEverythingRemembered() throws Exception {
    for (int i = 0; i < 1000; i++) {
      remember("r" + i, "x");
    }
    Path left = directory.resolve("left");
    Files.createDirectory(left);
    try (Stream<Path> files = Files.list(directory.resolve("open"))) {
      for (Path file : files.filter(f -> !f.endsWith("LOCK")).toList()) {
        Files.copy(file, left.resolve(file.getFileName()));
      }
    }

    try (ServedRequests after = ServedRequests.open(left, WINDOW, MAX, () -> now)) {
      assertThat(after.count()).isEqualTo(1000);
      for (int i = 0; i < 1000; i++) {
        assertThat(after.find("r" + i)).isPresent();
      }
    }
  }

  @Test
  void aDamagedStoreSaysThatItMayBeDeleted() throws Exception {
    for (int i = 0; i < 100; i++) {
      remember("r" + i, "a text");
    }
    requests.close();
    // A start writes what the log holds into table files.
    open();
    requests.close();
    Path damaged = directory.resolve("damaged");
    Files.createDirectory(damaged);
    try (Stream<Path> files = Files.list(directory.resolve("open"))) {
      for (Path file : files.toList()) {
        byte[] bytes = Files.readAllBytes(file);
        if (file.toString().endsWith(".sst")) {
          Arrays.fill(bytes, 0, 20, (byte) 0x5a);
        }
        Files.write(damaged.resolve(file.getFileName()), bytes);
      }
    }
    open();

    for (int attempt = 0; attempt < 2; attempt++) {
      assertThatThrownBy(() -> ServedRequests.open(damaged, WINDOW, MAX, () -> now))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("cannot be opened (")
          .hasMessageContaining("delete it, and only feedback on requests of before is lost");
    }
  }

  private boolean remember(String id, String text) {
    StoredVersion version =
        new StoredVersion(
            "films", 7, "abc", null, List.of("bad", "good"), 1, 1, Instant.EPOCH, null);
    return requests.remember(
        id, "films", text, new Prediction(version, new Classification(), new float[] {0, 1}, null));
  }

  private ServedRequest find(String id) {
    Optional<ServedRequest> found = requests.find(id);
    assertThat(found).isPresent();
    return found.get();
  }
}
