package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.records.AdapterLog;
import io.millrace.pipeline.records.PrunableVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.StartVersion;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** {@code training.initFrom=parent}, from the topic of examples to a replay. Batches of eight. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class ChildDomainTest {
  private static final String PARENT = "reviews";
  private static final String CHILD = "reviews/films";

  @TempDir private Path directory;

  private SubmitHarness harness;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    harness = new SubmitHarness(directory, kafka, registry);
  }

  @AfterEach
  void stop() {
    harness.close();
  }

  @Test
  void aNewDomainStartsFromTheOneAboveAndReplaysExactlyUntilThatVersionIsGone() throws Exception {
    harness.send(PARENT, 16);
    String job = submit();
    AdapterVersion second = awaitVersion(PARENT, 2);
    harness.send(CHILD, 8);
    AdapterVersion first = awaitVersion(CHILD, 1);
    assertThat(first.getManifest().getStartedFrom())
        .isEqualTo(new StartVersion(PARENT, 2L, second.getSha256()));
    assertThat(first.getManifest().getRuns().get(0).getSettings())
        .containsEntry("training.initFrom", "parent");
    harness.awaitCheckpoint(job, 1);

    // From its last checkpoint on, with a newer version above.
    assertThat(harness.stop("--no-savepoint").exitCode()).isZero();
    harness.send(PARENT, 8);
    submit();
    awaitVersion(PARENT, 3);
    harness.send(CHILD, 8);
    assertThat(awaitVersion(CHILD, 2).getManifest().getStartedFrom())
        .isEqualTo(first.getManifest().getStartedFrom());

    Said replayed = run("replay", "--all");
    assertThat(replayed.exitCode()).as("%s", replayed).isZero();
    assertThat(replayed.text()).contains("2 of 2 domains are the same");
    Said fromBase = run("replay", "--domain=" + CHILD, "--set=training.initFrom=base");
    assertThat(fromBase.exitCode()).as("%s", fromBase).isZero();
    assertThat(fromBase.text())
        .contains("training.initFrom=base (recorded: parent)")
        .contains("the first step with another state is 1");
    Said unknown = run("replay", "--domain=" + CHILD, "--set=adapter.method=head");
    assertThat(unknown.exitCode()).as("%s", unknown).isEqualTo(2);
    assertThat(unknown.line()).contains("does not fit here", "--set training.initFrom=base");
    assertThat(run("adapters", "list", "--domain=" + CHILD).text()).contains(PARENT + "@2");
    assertThat(run("adapters", "show", "--json", "--domain=" + CHILD).text())
        .contains("startedFrom", second.getSha256());

    PrunableVersions.read(harness.connection(), PARENT).delete(PARENT, Set.of(2L));
    Said gone = run("replay", "--domain=" + CHILD);
    assertThat(gone.exitCode()).as("%s", gone).isEqualTo(3);
    assertThat(gone.out())
        .containsExactly(
            "reviews/films: it started from version 2 of reviews, which the topic adapters does not"
                + " hold any more; --from snapshot starts later, --from 1 as early as possible");
    assertThat(run("replay", "--domain=" + CHILD, "--from=snapshot").exitCode()).isZero();
  }

  private String submit() {
    Said answer =
        harness.submit(
            "--set=training.initFrom=parent",
            "--set=publish.everySteps=1",
            "--set=snapshot.everyVersions=1");
    assertThat(answer.err()).isEmpty();
    return SubmitHarness.id(answer);
  }

  private AdapterVersion awaitVersion(String domain, long number) throws Exception {
    return Await.value(
            domain + "@" + number,
            Duration.ofMinutes(1),
            () -> {
              TreeMap<Long, AdapterVersion> versions = new TreeMap<>();
              try (AdapterLog<AdapterVersion> log = AdapterLog.open(harness.connection())) {
                log.forEach(
                    logged -> {
                      if (logged.domain().equals(domain)) {
                        logged.published().ifPresent(each -> versions.put(logged.version(), each));
                      }
                    });
              }
              return versions;
            },
            versions -> versions.containsKey(number))
        .get(number);
  }

  private Said run(String... command) {
    List<String> all = new ArrayList<>(List.of(command));
    all.add("--set=kafka.bootstrap.servers=" + harness.connection().bootstrapServers());
    all.add("--set=schema.registry.url=" + harness.connection().registryUrl());
    if (command[0].equals("replay")) {
      all.add("--set=model.store=" + System.getProperty("millrace.test.models"));
    }
    return Said.run(all.toArray(String[]::new));
  }
}
