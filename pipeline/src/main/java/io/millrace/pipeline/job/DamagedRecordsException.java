package io.millrace.pipeline.job;

import io.millrace.client.process.Failures;
import io.millrace.pipeline.settings.JobSettings;
import java.io.IOException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.runtime.throwable.ThrowableAnnotation;
import org.apache.flink.runtime.throwable.ThrowableType;
import org.apache.kafka.common.KafkaException;

/**
 * Kafka hands out records that its client cannot read: a batch whose checksum is wrong, or that
 * cannot be decompressed. Brokers check what they are sent, so it was damaged on their disks. The
 * client does not read past it, and the job must not: what cannot be read cannot become a dead
 * letter. A restart would find the same batch, so Flink does not restart the job.
 */
@ThrowableAnnotation(ThrowableType.NonRecoverableError)
final class DamagedRecordsException extends IOException {
  private static final long serialVersionUID = 1;

  /** What Kafka's consumer says; it has no exception of its own for it. */
  private static final Pattern INVALID =
      Pattern.compile(
          "Record (?:batch )?for partition (?<topic>\\S+)-(?<partition>\\d+) at offset (?<offset>\\d+)"
              + " is invalid, cause: (?<cause>.*)",
          Pattern.DOTALL);

  private static final Pattern UNREADABLE =
      Pattern.compile(
          "Received exception when fetching the next record from (?<topic>\\S+)-(?<partition>\\d+)\\..*",
          Pattern.DOTALL);

  private DamagedRecordsException(String message, Throwable failure) {
    // Not as the cause: code that looks for the root cause must find this message.
    super(message);
    addSuppressed(failure);
  }

  /** {@code failure} of a reader as this exception; empty if it has another reason. */
  static Optional<DamagedRecordsException> in(Throwable failure) {
    return find(failure, INVALID)
        .map(
            found ->
                "partition %s of topic %s holds damaged records at offset %s (%s)"
                    .formatted(
                        found.group("partition"),
                        found.group("topic"),
                        found.group("offset"),
                        found.group("cause")))
        .or(
            () ->
                find(failure, UNREADABLE)
                    .map(
                        found ->
                            "partition %s of topic %s holds records that cannot be read (%s)"
                                .formatted(
                                    found.group("partition"),
                                    found.group("topic"),
                                    Failures.describe(failure))))
        .map(place -> new DamagedRecordsException(message(place), failure));
  }

  private static Optional<Matcher> find(Throwable failure, Pattern pattern) {
    return Failures.chain(failure).stream()
        .filter(each -> each instanceof KafkaException && each.getMessage() != null)
        .map(each -> pattern.matcher(each.getMessage()))
        .filter(Matcher::matches)
        .findFirst();
  }

  private static String message(String place) {
    return place
        + "; restore the partition from another replica, or delete the records up to the next sound"
        + " one (kafka-delete-records) and give them up with "
        + JobSettings.LOST_EXAMPLES.key()
        + "=skip";
  }
}
