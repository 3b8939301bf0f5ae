package io.millrace.client.kafka;

import org.apache.kafka.common.errors.SerializationException;

/**
 * The bytes cannot be read as a record, now or later: the caller leaves them out or sends them to
 * the dead letters.
 */
public final class UnreadableRecordException extends SerializationException {
  private static final long serialVersionUID = 1L;

  public UnreadableRecordException(String message) {
    super(message);
  }

  public UnreadableRecordException(String message, Throwable cause) {
    super(message, cause);
  }
}
