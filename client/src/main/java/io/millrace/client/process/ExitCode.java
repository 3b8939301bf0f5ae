package io.millrace.client.process;

import java.util.Map;
import java.util.TreeMap;

/** The exit codes of all commands; the constants of {@code int} are for annotations, too. */
public final class ExitCode {
  /** Done. */
  public static final int DONE = 0;

  /** A failure, which the log explains. */
  public static final int FAILED = 1;

  /** Of commands that compare: something is not what it should be. */
  public static final int MISMATCH = 1;

  /** The user's mistake: see {@link UsageException}. */
  public static final int USAGE = 2;

  /** What the user named is not there, or not any more: see {@link NotFoundException}. */
  public static final int NOT_FOUND = 3;

  /** Another was first: see {@link ConflictException}. */
  public static final int CONFLICT = 4;

  /** Of commands that compare: a failure, so that nothing is known. */
  public static final int NOT_COMPARED = 5;

  /** Ended by Ctrl-C, as shells count signals. */
  public static final int STOPPED = 130;

  private ExitCode() {}

  /** What each means, for people. */
  public static Map<Integer, String> meanings() {
    return new TreeMap<>(
        Map.of(
            DONE, "done",
            FAILED, "failed; of replay and adapters verify: something differs",
            USAGE, "a mistake in the command or its settings, or it is not possible",
            NOT_FOUND, "what was named, or what it needs, is not there or not any more",
            CONFLICT, "another was first; nothing was changed, unless it says so",
            NOT_COMPARED, "replay and adapters verify failed before they could tell",
            STOPPED, "stopped by Ctrl-C"));
  }
}
