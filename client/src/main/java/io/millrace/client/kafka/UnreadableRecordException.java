package io.millrace.client.kafka;

import org.apache.kafka.common.errors.SerializationException;

/**
 * These bytes are no record that can be read, and never will be: a caller sends them to the dead
 * letters.
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
