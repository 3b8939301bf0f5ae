package io.millrace.pipeline.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.DomainRollout;
import io.millrace.pipeline.records.TestJob;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The mirror on a real log, before a server that holds MLflow's contract. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class MlflowMirrorTest {
  private static final String FILMS = "millrace-films~2Fold";

  @TempDir private Path directory;

  private final List<String> said = Collections.synchronizedList(new ArrayList<>());
  private Connection connection;
  private List<AdapterVersion> films;
  private FakeMlflow mlflow;

  @BeforeEach
  void publish(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    connection = new Connection(TestStack.renew(kafka, registry, defaults).connect(defaults));
    films = TestVersions.chain("films/old", 3);
    try (TestJob job = new TestJob(connection, "job")) {
      films.forEach(job::publish);
    }
    mlflow = new FakeMlflow();
  }

  @AfterEach
  void stop() {
    mlflow.close();
  }

  private MlflowMirror.Totals once() throws Exception {
    return once(mlflow.uri(), Optional.empty());
  }

  private MlflowMirror.Totals once(URI uri, Optional<String> authorization) throws Exception {
    try (MlflowMirror mirror = mirror(uri, authorization, new CompletableFuture<>())) {
      return mirror.run(true);
    }
  }

  private MlflowMirror mirror(
      URI uri, Optional<String> authorization, CompletableFuture<Void> stop) {
    return new MlflowMirror(connection, uri, authorization, "millrace-", "mirror", stop, said::add);
  }

  private void decide(Decision decision) throws Exception {
    try (DomainRollout rollout = DomainRollout.open(connection, "films/old", directory)) {
      rollout.append(decision.of(rollout.decisions("ann", "")));
    }
  }

  private interface Decision {
    io.millrace.schemas.RolloutEvent of(RolloutDecisions decisions) throws Exception;
  }

  @Test
  void eachVersionIsThereWithItsHashAndTheAliasNamesWhatServes() throws Exception {
    MlflowMirror.Totals done = once();

    assertThat(done).isEqualTo(new MlflowMirror.Totals(3, 1, 0));
    assertThat(mlflow.models()).containsExactly(FILMS);
    assertThat(mlflow.versions(FILMS))
        .extracting(version -> version.tags().get("millrace.sha256"))
        .isEqualTo(films.stream().map(AdapterVersion::getSha256).toList());
    assertThat(mlflow.versions(FILMS).get(2).tags())
        .contains(
            entry("millrace.domain", "films/old"),
            entry("millrace.version", "3"),
            entry("millrace.parentSha256", films.get(1).getSha256()),
            entry("millrace.method", "head"));
    assertThat(mlflow.aliases(FILMS)).containsExactly(entry("stable", "3"));
  }

  @Test
  void decisionsMoveTheAliasesAndNothingIsMadeTwice() throws Exception {
    once();
    decide(decisions -> decisions.pin(1L));
    decide(decisions -> decisions.canary(3L, 0.2));

    assertThat(once().versions()).isZero();
    assertThat(mlflow.aliases(FILMS)).containsOnly(entry("stable", "1"), entry("candidate", "3"));

    decide(decisions -> decisions.promote(3L));
    assertThat(once().versions()).isZero();
    assertThat(mlflow.aliases(FILMS)).containsExactly(entry("stable", "3"));
    assertThat(mlflow.versions(FILMS)).hasSize(3);
  }

  @Test
  void aMirrorThatLostItsPlaceFindsWhatIsThere() throws Exception {
    once();

    try (MlflowMirror another =
        new MlflowMirror(
            connection,
            mlflow.uri(),
            Optional.empty(),
            "millrace-",
            "another",
            new CompletableFuture<>(),
            said::add)) {
      assertThat(another.run(true).versions()).isZero();
    }
    assertThat(mlflow.versions(FILMS)).hasSize(3);
  }

  @Test
  void itGoesOnWhileVersionsComeAndEndsWhenItIsTold() throws Exception {
    CompletableFuture<Void> stop = new CompletableFuture<>();
    try (MlflowMirror mirror = mirror(mlflow.uri(), Optional.empty(), stop)) {
      CompletableFuture<MlflowMirror.Totals> running =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return mirror.run(false);
                } catch (InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      Await.until("the first are there", () -> mlflow.versions(FILMS).size() == 3);
      try (TestJob job = new TestJob(connection, "job")) {
        job.publish(TestVersions.chain("films/old", 4).get(3));
        job.publish(TestVersions.chain("new", 1).get(0));
      }
      Await.until(
          "the alias has moved",
          () ->
              mlflow.versions("millrace-new").size() == 1
                  && "4".equals(mlflow.aliases(FILMS).get("stable")));
      stop.complete(null);
      assertThat(running.get().versions()).isEqualTo(5);
    }
  }

  @Test
  void whileMlflowDoesNotAnswerItWaitsAndLosesNothing() throws Exception {
    mlflow.fail(2);

    assertThat(once().versions()).isEqualTo(3);
    assertThat(said).anyMatch(line -> line.contains("trying again in 2 s"));
  }

  @Test
  void aMirrorThatIsStoppedWhileItWaitsEndsAndLosesNothing() throws Exception {
    CompletableFuture<Void> stop = new CompletableFuture<>();
    once();
    try (TestJob job = new TestJob(connection, "job")) {
      job.publish(TestVersions.chain("films/old", 4).get(3));
    }
    try (MlflowMirror mirror = mirror(mlflow.uri(), Optional.empty(), stop)) {
      CompletableFuture<Void> running =
          CompletableFuture.runAsync(
              () -> {
                try {
                  mlflow.fail(1_000_000);
                  mirror.run(false);
                } catch (InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      Await.until("it waits", () -> said.stream().anyMatch(line -> line.contains("trying again")));
      stop.complete(null);
      running.get();
    }
    mlflow.fail(0);
    assertThat(once().versions()).isEqualTo(1);
  }

  @Test
  void whatMlflowRefusesIsSaidAndTheRestGoesOn() throws Exception {
    mlflow.refuse(films.get(1).getSha256());

    assertThat(once()).isEqualTo(new MlflowMirror.Totals(2, 1, 1));
    assertThat(said)
        .contains("films/old@2 is left out, MLflow refuses it: Invalid model version source");
  }

  @Test
  void withoutTheRightCredentialsItSaysSo() throws Exception {
    mlflow.requireAuthorization("Bearer right");

    assertThatThrownBy(this::once)
        .isInstanceOf(UsageException.class)
        .hasMessage("MLflow does not let the mirror in: no");
    assertThat(once(mlflow.uri(), Optional.of("Bearer right")).versions()).isEqualTo(3);
  }

  @Test
  void anotherServerIsNoRegistryAndNothingIsLeftOut() throws Exception {
    assertThatThrownBy(() -> once(mlflow.uri().resolve("/api/2.0/mlflow/x"), Optional.empty()))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("there is no model registry of MLflow: ");

    assertThat(once().versions()).isEqualTo(3);
  }

  /** It would stop the mirror again after each start. */
  @Test
  void aKeyThatNamesNoVersionIsLeftOut() throws Exception {
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      for (String key : List.of("none", "films/old@x")) {
        producer.send(new ProducerRecord<>(Topics.ADAPTERS, 0, key.getBytes(UTF_8), null)).get();
      }
    }

    assertThat(once()).isEqualTo(new MlflowMirror.Totals(3, 1, 2));
    assertThat(said).anyMatch(line -> line.startsWith("left out: ") && line.contains("none"));
  }
}
