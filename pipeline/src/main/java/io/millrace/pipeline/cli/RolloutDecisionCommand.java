package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.NotFoundException;
import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.records.DomainRollout;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.schemas.rollout.RolloutRefusedException;
import io.millrace.schemas.text.ShownText;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The common part of the commands that decide about one domain. */
@Command(
    footer = {
      "",
      "Exit code 2 where it cannot be done, or was not understood; 3 where there is no such domain or"
          + " version; 4 where another decision came first: then nothing has changed."
    })
abstract class RolloutDecisionCommand implements Callable<Integer> {
  private static final int LONGEST_TEXT = 1000;

  @Option(names = "--domain", paramLabel = "D", required = true, description = "About this domain.")
  private String domain;

  @Option(
      names = "--reason",
      paramLabel = "TEXT",
      defaultValue = "",
      description = "Why, for those who read the history.")
  private String reason;

  @Option(
      names = "--by",
      paramLabel = "NAME",
      description = "Who decides. Default: the system's name of the user.")
  private String author;

  @Option(
      names = "--revision",
      paramLabel = "R",
      description =
          "Decide on top of this revision only; where there is another by now, nothing changes."
              + " Default: the revision that there is.")
  private Long revision;

  @Mixin private final RecordSource source = new RecordSource();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(Connection.SETTINGS);

  @Spec private CommandSpec spec;

  /** The decision that the user asks for. */
  abstract RolloutEvent decision(RolloutDecisions decisions) throws RolloutRefusedException;

  @Override
  public final Integer call() {
    Settings settings = options.load();
    String by = author == null ? System.getProperty("user.name", "") : author;
    if (by.isBlank()) {
      throw new UsageException("--by: a name is needed");
    }
    requireShort("--by", by);
    requireShort("--reason", reason);
    return source.read(settings, spec.commandLine().getErr(), connection -> decide(connection, by));
  }

  private static void requireShort(String option, String text) {
    if (text.length() > LONGEST_TEXT) {
      throw new UsageException(
          "%s: %d characters are more than %d".formatted(option, text.length(), LONGEST_TEXT));
    }
  }

  private int decide(Connection connection, String by) {
    try (DomainRollout rollout = DomainRollout.open(connection, domain, RecordSource.cache())) {
      RolloutStatusCommand.warn(rollout.unreadable(), spec.commandLine().getErr());
      if (!rollout.isKnown()) {
        throw RolloutStatusCommand.unknown(domain, DomainRollout.domains(connection));
      }
      Rollout before = rollout.history().now();
      if (revision != null && revision != before.revision()) {
        return nothingChanged(revision, before);
      }
      RolloutHistory.Entry entry = rollout.append(decision(rollout.decisions(by, reason)));
      if (entry.objection() != null) {
        return nothingChanged(entry.event().getBasedOn(), entry.after());
      }
      output.say(ShownText.of(domain) + ": " + RolloutWords.change(before, entry.after()));
      output.json(() -> RolloutJson.rollout(entry.after()));
      return 0;
    } catch (RolloutRefusedException e) {
      String why = ShownText.of(e.getMessage());
      throw e.isUnknownVersion() ? new NotFoundException(why, e) : new UsageException(why, e);
    }
  }

  private int nothingChanged(long asked, Rollout now) {
    RolloutEvent last = now.last();
    PrintWriter err = spec.commandLine().getErr();
    err.printf(
        "millrace: nothing changed: revision %d is not the current one; %s%n",
        asked,
        last == null
            ? "that is 0, nothing was decided yet"
            : "revision %d is %s by %s"
                .formatted(
                    now.revision(), RolloutWords.what(last), ShownText.of(last.getAuthor())));
    err.flush();
    return ExitCode.CONFLICT;
  }
}
