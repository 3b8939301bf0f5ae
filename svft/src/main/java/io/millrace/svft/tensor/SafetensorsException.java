package io.millrace.svft.tensor;

/** A safetensors file that cannot be read; the message says what is wrong with it. */
public final class SafetensorsException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public SafetensorsException(String message) {
    super(message);
  }
}
