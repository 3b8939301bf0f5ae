package io.millrace.operators.adapt;

import org.apache.flink.runtime.throwable.ThrowableAnnotation;
import org.apache.flink.runtime.throwable.ThrowableType;

/** A failure that a restart cannot repair, so Flink does not restart the job. */
@ThrowableAnnotation(ThrowableType.NonRecoverableError)
public final class PermanentFailureException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  public PermanentFailureException(String message) {
    super(message);
  }

  PermanentFailureException(String message, Throwable failure) {
    // Not as the cause: code that looks for the root cause must find this message.
    super(message);
    addSuppressed(failure);
  }
}
