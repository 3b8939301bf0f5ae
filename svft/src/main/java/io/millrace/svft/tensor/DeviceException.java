package io.millrace.svft.tensor;

/**
 * Thrown for a device setting that is unknown or names a GPU that PyTorch does not see. The message
 * is one line.
 */
public final class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public DeviceException(String message) {
    super(message);
  }
}
