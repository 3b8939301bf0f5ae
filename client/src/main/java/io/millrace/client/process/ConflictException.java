package io.millrace.client.process;

/**
 * Another was first, and the same command may succeed later. The message is one line that says who
 * or what; {@link CommandLines} prints it and exits with {@link ExitCode#CONFLICT}.
 */
public final class ConflictException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ConflictException(String message) {
    super(message);
  }
}
