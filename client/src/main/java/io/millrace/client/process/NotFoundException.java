package io.millrace.client.process;

/**
 * What the user named is not there: a domain, a version, a job. The message is one line that says
 * what is there instead; {@link CommandLines} prints it and exits with {@link ExitCode#NOT_FOUND}.
 */
public final class NotFoundException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public NotFoundException(String message) {
    super(message);
  }

  public NotFoundException(String message, Throwable cause) {
    super(message, cause);
  }
}
