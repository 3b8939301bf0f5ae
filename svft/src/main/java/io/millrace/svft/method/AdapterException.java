package io.millrace.svft.method;

/** An adapter that is broken, or that does not belong to this base model; one clear line. */
public final class AdapterException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public AdapterException(String message) {
    super(message);
  }
}
