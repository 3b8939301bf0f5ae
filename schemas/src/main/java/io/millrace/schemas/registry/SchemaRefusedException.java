package io.millrace.schemas.registry;

/**
 * The registry will not have this schema: it is not compatible with the subject's earlier ones, or
 * not valid.
 */
public final class SchemaRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SchemaRefusedException(String message) {
    super(message);
  }
}
