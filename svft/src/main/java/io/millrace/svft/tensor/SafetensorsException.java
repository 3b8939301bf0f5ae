package io.millrace.svft.tensor;

/** Thrown for a safetensors file that cannot be read. The message says what is wrong with it. */
public final class SafetensorsException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public SafetensorsException(String message) {
    super(message);
  }
}
