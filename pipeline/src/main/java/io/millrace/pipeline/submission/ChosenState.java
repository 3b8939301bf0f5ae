package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a submitted job starts from, as its user chose it.
 *
 * @param state empty for none
 * @param lines for the user: which state it takes, and which it leaves
 */
public record ChosenState(Optional<StartingState> state, List<String> lines) {
  /** The newest state of the job's current lineage. */
  public static final String LATEST = "latest";

  /** No state. */
  public static final String NONE = "none";

  /**
   * Looks for it.
   *
   * @param from {@link #LATEST}, {@link #NONE}, or the path or URI of a checkpoint or savepoint
   * @param checkpoints the directory of the job's checkpoints
   * @throws UsageException where there is none, it is not clear which, or the settings cannot read
   *     it
   * @throws IllegalStateException where Kafka does not answer
   */
  public static ChosenState of(
      String from, String checkpoints, Settings settings, Connection connection) {
    Lineage lineage;
    try {
      lineage = Lineage.read(checkpoints, settings.get(JobSettings.GROUP));
    } catch (IOException e) {
      // Only the cluster knows that file system, say.
      if (from.equals(LATEST)) {
        throw new UsageException(
            "cannot look for checkpoints in %s (%s); name one with --from"
                .formatted(checkpoints, e.getMessage()),
            e);
      }
      return from.equals(NONE)
          ? new ChosenState(Optional.empty(), List.of(withoutState()))
          : new ChosenState(
              Optional.of(StartingState.savepoint(from)), List.of("It goes on from " + from));
    }
    List<String> lines = new ArrayList<>();
    Optional<StartingState> state;
    if (from.equals(LATEST)) {
      state = lineage.next(connection);
      lines.add(
          state
              .map(each -> "It goes on from " + each.path() + lineage.remark())
              .orElse(withoutState()));
    } else if (from.equals(NONE)) {
      state = Optional.empty();
      lines.add(withoutState());
      lineage.leaving().ifPresent(lines::add);
    } else {
      state = Optional.of(StartingState.savepoint(from));
      lines.add("It goes on from " + from + lineage.writerOf(from));
      lineage.leaving().ifPresent(lines::add);
    }
    state.ifPresent(each -> lineage.requireReadable(each, settings));
    state.ifPresent(each -> lines.addAll(lineage.changedMethods(each, settings)));
    return new ChosenState(state, List.copyOf(lines));
  }

  private static String withoutState() {
    return "It starts without state";
  }
}
