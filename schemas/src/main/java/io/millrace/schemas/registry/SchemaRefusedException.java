package io.millrace.schemas.registry;

/**
 * The registry refuses a schema: it is not compatible with the subject's earlier schemas, or not
 * valid.
 */
public final class SchemaRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SchemaRefusedException(String message) {
    super(message);
  }
}
