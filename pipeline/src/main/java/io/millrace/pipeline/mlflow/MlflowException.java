package io.millrace.pipeline.mlflow;

/** MLflow did not do what it was asked to. */
final class MlflowException extends Exception {
  private static final long serialVersionUID = 1;

  /** What can be done about it. */
  enum Kind {
    /** It may work later. */
    LATER,
    /** It will be refused again. */
    REFUSED,
    /** Whoever asks may not. */
    NOT_ALLOWED
  }

  private final Kind kind;
  private final String code;

  /**
   * @param code MLflow's {@code error_code}; empty where it gave none
   */
  MlflowException(Kind kind, String code, String message) {
    super(message);
    this.kind = kind;
    this.code = code;
  }

  Kind kind() {
    return kind;
  }

  String code() {
    return code;
  }
}
