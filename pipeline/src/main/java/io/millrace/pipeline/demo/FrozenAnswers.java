package io.millrace.pipeline.demo;

import io.millrace.client.kafka.Connection;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingProgress;
import java.util.List;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.Deserializer;

/** How the frozen model did on the demo's stream, as the job has reported it. */
final class FrozenAnswers {
  private FrozenAnswers() {}

  /**
   * @param steps that the domain has taken
   * @return per example in the order of training, whether it was predicted before it was trained on
   * @throws IllegalStateException where a step was not compared
   */
  static List<Boolean> read(Connection connection, int steps) {
    TreeMap<Long, List<Boolean>> correct = new TreeMap<>();
    Deserializer<DomainProgress> progress = connection.deserializer(DomainProgress.class);
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_PROGRESS)) {
      topic.forEach(
          record -> {
            TrainingProgress training =
                progress.deserialize(record.topic(), record.value()).getTraining();
            if (training != null && training.getFrozen() != null) {
              correct.put(training.getStep(), training.getFrozen().getCorrect());
            }
          });
    }
    if (correct.size() != steps) {
      throw new IllegalStateException(
          "the frozen model was compared on %d of %d steps".formatted(correct.size(), steps));
    }
    return correct.values().stream().flatMap(List::stream).toList();
  }
}
