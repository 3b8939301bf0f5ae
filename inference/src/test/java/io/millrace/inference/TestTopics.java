package io.millrace.inference;

import io.millrace.schemas.Topics;
import io.millrace.testing.KafkaBroker;
import java.util.Map;

/** The topics that serving reads, as the job makes them. */
public final class TestTopics {
  private TestTopics() {}

  /** An empty topic {@code adapters}, whatever there was. */
  public static void createAdapters(KafkaBroker broker, int partitions) throws Exception {
    broker.create(Topics.ADAPTERS, partitions, Map.of("cleanup.policy", "compact"));
  }

  /** An empty topic {@code rollouts}, whatever there was. */
  public static void createRollouts(KafkaBroker broker, int partitions) throws Exception {
    broker.create(
        Topics.ROLLOUTS,
        partitions,
        Map.of("retention.ms", "-1", "message.timestamp.type", "LogAppendTime"));
  }
}
