package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.pipeline.settings.JobSettings;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.runtime.throwable.ThrowableAnnotation;
import org.apache.flink.runtime.throwable.ThrowableType;
import org.apache.flink.util.ExceptionUtils;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * The topic does not hold the example that is to be trained on next. A restart would not bring it
 * back, and if the topic was recreated and has grown since, training would continue with a
 * different example. So this exception is not recoverable: Flink does not restart the job.
 */
@ThrowableAnnotation(ThrowableType.NonRecoverableError)
final class LostExamplesException extends IOException {
  private static final long serialVersionUID = 1;
  private static final int PATIENCE_SECONDS = 15;

  private LostExamplesException(String message, Throwable cause) {
    // Not as the cause: code that looks for the root cause must find this message.
    super(message);
    addSuppressed(cause);
  }

  /** {@code failure} of a reader as this exception; empty if it has another reason. */
  static Optional<LostExamplesException> in(Throwable failure, Connection connection) {
    return ExceptionUtils.findThrowable(failure, OffsetOutOfRangeException.class)
        .map(
            outOfRange -> {
              Map.Entry<TopicPartition, Long> wanted =
                  outOfRange.offsetOutOfRangePartitions().entrySet().iterator().next();
              return new LostExamplesException(
                  message(wanted.getKey(), wanted.getValue(), connection), failure);
            });
  }

  private static String message(TopicPartition partition, long wanted, Connection connection) {
    return ("partition %d of topic %s: the job is to go on at offset %d, but %s; restore the topic,"
            + " or give these examples up with %s=skip: training then goes on with the first example"
            + " that the partition holds")
        .formatted(
            partition.partition(),
            partition.topic(),
            wanted,
            held(partition, wanted, connection),
            JobSettings.LOST_EXAMPLES.key());
  }

  private static String held(TopicPartition partition, long wanted, Connection connection) {
    try (Admin admin = Admin.create(connection.properties())) {
      long first = offset(admin, partition, OffsetSpec.earliest());
      long next = offset(admin, partition, OffsetSpec.latest());
      if (wanted < first) {
        return "Kafka has deleted what lay before offset " + first;
      }
      return wanted > next
          ? "the partition ends at offset %d: it has lost its end, or is not the one that was read"
              .formatted(next)
          : "Kafka does not have it among offsets %d to %d".formatted(first, next);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "Kafka does not have it";
    } catch (ExecutionException | TimeoutException | KafkaException e) {
      return "Kafka does not have it, nor say what it has";
    }
  }

  private static long offset(Admin admin, TopicPartition partition, OffsetSpec which)
      throws ExecutionException, InterruptedException, TimeoutException {
    return admin
        .listOffsets(Map.of(partition, which))
        .partitionResult(partition)
        .get(PATIENCE_SECONDS, TimeUnit.SECONDS)
        .offset();
  }
}
