package io.millrace.client.process;

/**
 * The user's mistake: a bad setting, a missing file, a taken port. The message is one line that
 * says what was wrong and what is allowed; {@link CommandLines} prints it and exits with 2.
 */
public final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public UsageException(String message) {
    super(message);
  }

  public UsageException(String message, Throwable cause) {
    super(message, cause);
  }
}
