package io.millrace.pipeline.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.JobHealth;
import io.millrace.pipeline.submission.JobWatch;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A job whose checkpoint directory goes away, while Flink puts up with it. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class FailingCheckpointsTest {
  @TempDir private Path directory;

  private final List<String> said = new ArrayList<>();

  @Test
  void thatCheckpointsFailIsSaidOnceUntilTheySucceed(KafkaBroker kafka) throws Exception {
    Path checkpoints = Files.createDirectory(directory.resolve("checkpoints"));
    Path away = directory.resolve("away");
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1)) {
      FlinkJob job = start(kafka, flink, checkpoints);
      try (JobHealth health = job.health();
          JobWatch watch = new JobWatch(job, said::add)) {
        awaitCheckpoint(health, watch);
        replace(checkpoints, away);
        Await.until(
            "it is said that checkpoints fail",
            () -> {
              watch.look(0);
              return !said.isEmpty();
            });
        Files.delete(checkpoints);
        Files.move(away, checkpoints);
        awaitCheckpoint(health, watch);

        assertThat(health.failures()).isEmpty();
        assertThat(said)
            .singleElement()
            .asString()
            .startsWith("checkpoints fail, so nothing is published: ");
      }
    }
  }

  /** A file in its place: a directory would be made again. */
  private static void replace(Path checkpoints, Path away) throws IOException {
    Files.move(checkpoints, away);
    Files.createFile(checkpoints);
  }

  /** One that begins after this. */
  private static void awaitCheckpoint(JobHealth health, JobWatch watch) throws Exception {
    long before = health.checkpoints().completed();
    Await.value(
        "two more checkpoints than " + before,
        () -> {
          watch.look(0);
          return health.checkpoints().completed();
        },
        completed -> completed >= before + 2);
  }

  private FlinkJob start(KafkaBroker kafka, EmbeddedFlink flink, Path checkpoints)
      throws Exception {
    Settings settings = settings("kafka.bootstrap.servers=" + kafka.bootstrapServers());
    try (Admin admin = Admin.create(new Connection(settings).properties())) {
      TopicLayout.create(admin, settings);
    }
    return FlinkJob.submit(
        "127.0.0.1",
        flink.port(),
        settings,
        checkpoints.toString(),
        Optional.empty(),
        AdaptationJob.Input.UNBOUNDED);
  }

  private static Settings settings(String kafka) {
    return JobTestSettings.of(kafka, "checkpoint.interval=200ms");
  }
}
