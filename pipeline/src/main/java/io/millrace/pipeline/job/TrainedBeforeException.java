package io.millrace.pipeline.job;

import org.apache.flink.runtime.throwable.ThrowableAnnotation;
import org.apache.flink.runtime.throwable.ThrowableType;

/**
 * A job starts without state where a job has trained before: it would train on the same examples
 * again, and publish versions from 1 on. A restart would not change that, so Flink does not try.
 */
@ThrowableAnnotation(ThrowableType.NonRecoverableError)
final class TrainedBeforeException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  TrainedBeforeException() {
    super(
        "this start has no state, but a job has trained on this topic before: name its newest"
            + " checkpoint or savepoint (flink run -s, or execution.state-recovery.path), or train"
            + " everything again with --from none");
  }
}
