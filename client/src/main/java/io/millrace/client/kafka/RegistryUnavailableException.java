package io.millrace.client.kafka;

import io.millrace.client.process.Failures;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.RetriableException;

/**
 * The schema registry did not answer, or not with what was asked for. The record is not at fault:
 * try again.
 */
public final class RegistryUnavailableException extends KafkaException {
  private static final long serialVersionUID = 1L;
  private static final Pattern ERROR_CODE = Pattern.compile("error code: (\\d{3})\\d*$");

  RegistryUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }

  /**
   * {@code failure} as this exception where the registry was its cause, else {@code failure}.
   * Confluent's classes throw one exception for everything, and only its causes tell.
   */
  static RuntimeException orElse(RuntimeException failure) {
    if (failure instanceof RegistryUnavailableException) {
      return failure;
    }
    return Failures.chain(failure).stream().anyMatch(RegistryUnavailableException::isOutage)
        ? new RegistryUnavailableException(Failures.describe(failure), failure)
        : failure;
  }

  private static boolean isOutage(Throwable cause) {
    String name = cause.getClass().getName();
    if (name.endsWith(".RestClientException")) {
      // Not found, incompatible and invalid are answers; anything else is not.
      Matcher code = ERROR_CODE.matcher(String.valueOf(cause.getMessage()));
      return !(code.find() && code.group(1).matches("404|409|422"));
    }
    return cause instanceof RetriableException
        || name.startsWith("java.net.")
        || name.startsWith("javax.net.");
  }
}
