package io.millrace.inference.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.schemas.AdapterVersion;
import java.io.BufferedReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class AdapterStoreTest {
  private static final TopicIdentity TOPIC = new TopicIdentity("cluster", "topic");

  @TempDir Path directory;

  @Test
  void keepsVersionsTensorsAndOffsetsOverAReopening() {
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.startAfresh(TOPIC);
      store.put(version("a@b", 300), new StreamOffset(1, 8));
      store.put(version("a", 2), new StreamOffset(0, 5));
      store.put(version("a@b", 7), new StreamOffset(1, 9));
      store.skip(new StreamOffset(2, 41));
    }
    try (AdapterStore store = AdapterStore.open(directory)) {
      assertThat(store.topic()).contains(TOPIC);
      assertThat(store.offsets()).isEqualTo(Map.of(0, 5L, 1, 9L, 2, 41L));
      assertThat(versions(store))
          .containsExactly(
              StoredVersion.of(version("a", 2)),
              StoredVersion.of(version("a@b", 7)),
              StoredVersion.of(version("a@b", 300)));
      assertThat(store.payload("a@b", 300)).contains("tensors of 300".getBytes());
      assertThat(store.payload("a@b", 8)).isEmpty();
    }
  }

  @Test
  void tombstoneDeletesAVersionWithItsTensorsAndItsRefusal() {
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.put(version("a", 1), new StreamOffset(0, 1));
      store.put(version("a", 2), new StreamOffset(0, 2));
      store.refuse(new Refusal("a", 1, "ab", "broken", Instant.now()), new StreamOffset(0, 3));

      store.delete("a", 1, new StreamOffset(0, 4));

      assertThat(versions(store)).containsExactly(StoredVersion.of(version("a", 2)));
      assertThat(store.payload("a", 1)).isEmpty();
      assertThat(refusals(store)).isEmpty();
      assertThat(store.offsets()).isEqualTo(Map.of(0, 4L));
    }
  }

  @Test
  void keepsARefusalUntilTheVersionComesWhole() {
    Refusal refusal =
        new Refusal("domäne", 3, "ab", "its payload is broken", Instant.ofEpochMilli(1234));
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.refuse(refusal, new StreamOffset(0, 1));
    }
    try (AdapterStore store = AdapterStore.open(directory)) {
      assertThat(refusals(store)).containsExactly(refusal);

      store.put(version("domäne", 3), new StreamOffset(0, 2));

      assertThat(refusals(store)).isEmpty();
    }
  }

  @Test
  void startingAfreshLeavesNothingOfTheOtherTopic() {
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.startAfresh(TOPIC);
      store.put(version("a", 1), new StreamOffset(7, 1));
      store.refuse(new Refusal("b", 1, "ab", "broken", Instant.now()), new StreamOffset(0, 3));

      TopicIdentity other = new TopicIdentity("cluster", "another");
      store.startAfresh(other);

      assertThat(store.topic()).contains(other);
      assertThat(versions(store)).isEmpty();
      assertThat(refusals(store)).isEmpty();
      assertThat(store.payload("a", 1)).isEmpty();
      assertThat(store.offsets()).isEmpty();
    }
  }

  @Test
  void tellsASecondUserThatItIsInUse() {
    AdapterStore store = AdapterStore.open(directory);
    assertThatThrownBy(() -> AdapterStore.open(directory))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(directory.toString())
        .hasMessageContaining("in use by another process");
    store.close();
  }

  /** Killed between any two instructions, the store holds exactly the records before its offset. */
  @Test
  void offsetsAndVersionsAgreeAfterAKill() throws Exception {
    for (int written : new int[] {1, 20, 60}) {
      killAWriterAfter(written);
      try (AdapterStore store = AdapterStore.open(directory)) {
        long next = store.offsets().get(0);
        assertThat(next).isGreaterThanOrEqualTo(written);
        assertThat(versions(store).stream().map(StoredVersion::version))
            .containsExactlyElementsOf(numbers(next));
        for (long version = 1; version <= next; version++) {
          assertThat(store.payload("a", version)).contains(("tensors of " + version).getBytes());
        }
      }
    }
  }

  private void killAWriterAfter(int written) throws Exception {
    Process writer =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Writer.class.getName(),
                directory.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader lines = writer.inputReader()) {
      String line = lines.readLine();
      while (line != null && Long.parseLong(line) < written) {
        line = lines.readLine();
      }
    } finally {
      writer.destroyForcibly().waitFor();
    }
  }

  /** Goes on where the store stands, a version after the other, and says each it has written. */
  static final class Writer {
    public static void main(String[] args) {
      try (AdapterStore store = AdapterStore.open(Path.of(args[0]))) {
        for (long next = store.offsets().getOrDefault(0, 0L) + 1; ; next++) {
          store.put(version("a", next), new StreamOffset(0, next));
          System.out.println(next);
        }
      }
    }
  }

  private static List<Long> numbers(long last) {
    List<Long> numbers = new ArrayList<>();
    for (long number = 1; number <= last; number++) {
      numbers.add(number);
    }
    return numbers;
  }

  private static List<StoredVersion> versions(AdapterStore store) {
    List<StoredVersion> versions = new ArrayList<>();
    store.forEachVersion(versions::add);
    return versions;
  }

  private static List<Refusal> refusals(AdapterStore store) {
    List<Refusal> refusals = new ArrayList<>();
    store.forEachRefusal(refusals::add);
    return refusals;
  }

  private static AdapterVersion version(String domain, long version) {
    return AdapterVersion.newBuilder()
        .setDomain(domain)
        .setVersion(version)
        .setSha256("sha of " + version)
        .setParentSha256(version == 1 ? null : "sha of " + (version - 1))
        .setBaseModel("base")
        .setBaseSha256("base's")
        .setBasisSha256("basis's")
        .setMethod("svft")
        .setPattern("plain")
        .setTrainableParameters(13_824)
        .setLabels(List.of("x", "y"))
        .setSteps(10 * version)
        .setExamples(160 * version)
        .setTrainedThrough(List.of())
        .setPayload(ByteBuffer.wrap(("tensors of " + version).getBytes(StandardCharsets.UTF_8)))
        .setCreatedAt(Instant.ofEpochMilli(1_700_000_000_000L))
        .build();
  }
}
