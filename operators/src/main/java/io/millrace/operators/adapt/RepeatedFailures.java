package io.millrace.operators.adapt;

import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.text.ShownText;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;

/**
 * Recognizes a step that fails in the same way whenever it is tried. A restart gives the same state
 * and the same batch, so after {@value #TRIES} equal failures the next one would be equal too. A
 * failure with another cause, such as a lack of memory that other tasks have caused, gets as many
 * tries.
 */
final class RepeatedFailures {
  static final int TRIES = 3;

  private static final int REMEMBERED = 1000;

  private record Place(JobID job, String domain, long step) {}

  private record Failure(String what, int times) {}

  // Static because a restart makes new operators, in the same process where it can.
  private static final Map<Place, Failure> FAILED =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Place, Failure> eldest) {
          return size() > REMEMBERED;
        }
      };

  private RepeatedFailures() {}

  /**
   * Notes a failure.
   *
   * @param step the step that was to be taken
   * @param batch that it was to be taken with
   * @return what to throw: the failure itself, or one that ends the job
   */
  static RuntimeException note(
      JobID job, String domain, long step, List<ReceivedExample> batch, RuntimeException failure) {
    if (failure instanceof PermanentFailureException || Thread.currentThread().isInterrupted()) {
      return failure;
    }
    ReceivedExample first = batch.get(0);
    String what = first.getPartition() + "@" + first.getOffset() + " " + failure;
    int times;
    synchronized (FAILED) {
      Place place = new Place(job, domain, step);
      Failure before = FAILED.get(place);
      times = before != null && before.what().equals(what) ? before.times() + 1 : 1;
      FAILED.put(place, new Failure(what, times));
    }
    return times < TRIES
        ? failure
        : new PermanentFailureException(
            "step %d of domain %s failed %d times in the same way, on the batch that begins at %s-%d offset %d: %s"
                .formatted(
                    step,
                    ShownText.of(domain),
                    times,
                    first.getTopic(),
                    first.getPartition(),
                    first.getOffset(),
                    root(failure)),
            failure);
  }

  private static String root(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
  }
}
