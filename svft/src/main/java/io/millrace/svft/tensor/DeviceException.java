package io.millrace.svft.tensor;

/** A device that PyTorch does not have here, or that has another name; one clear line. */
public final class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public DeviceException(String message) {
    super(message);
  }
}
