package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.records.DomainRollout;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.schemas.text.ShownText;
import java.io.PrintWriter;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lists the decisions of a domain, or says what served at a time. */
@Command(
    name = "history",
    description = {
      "List what was published and decided for a domain, the newest last; or say what served at a"
          + " time, who decided it, and why.",
      "Times are Kafka's, of the records in the topic rollouts."
    })
final class RolloutHistoryCommand implements Callable<Integer> {
  private static final List<String> TITLES =
      List.of("time", "revision", "by", "what", "effect", "reason");

  @Option(names = "--domain", paramLabel = "D", required = true, description = "Of this domain.")
  private String domain;

  @Option(
      names = "--at",
      paramLabel = "TIME",
      description =
          "Say what served then: 2026-11-22T09:00:00Z, 2026-11-22T10:00:00.250+01:00, or without a"
              + " zone by this system's clock.")
  private String at;

  @Option(names = "--limit", paramLabel = "N", description = "The last N events only.")
  private Integer limit;

  @Option(names = "--decisions", description = "Leave out what was only published.")
  private boolean decisions;

  @Option(
      names = "--json",
      description = "As one JSON array of events, or with --at as one object; with whole hashes.")
  private boolean json;

  @Mixin private final RecordSource source = new RecordSource();

  @Mixin private final SettingsOptions options = new SettingsOptions(Connection.SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Settings settings = options.load();
    Instant time = at == null ? null : instant(at);
    if (limit != null && limit < 1) {
      throw new UsageException("--limit: " + limit + " is less than 1");
    }
    if (at != null && (limit != null || decisions)) {
      throw new UsageException("--at is about one moment: leave --limit and --decisions out");
    }
    RolloutHistory history = source.read(settings, spec.commandLine().getErr(), this::read);
    PrintWriter out = spec.commandLine().getOut();
    if (time != null) {
      requirePast(time, history);
      print(json ? jsonAt(history, time) : null, textAt(history, time), out);
    } else {
      print(json ? json(history) : null, table(history), out);
    }
    out.flush();
    return 0;
  }

  private static void print(JsonNode json, List<String> text, PrintWriter out) {
    if (json == null) {
      text.forEach(out::println);
    } else {
      Json.print(json, out);
    }
  }

  private RolloutHistory read(Connection connection) {
    try (DomainRollout rollout = DomainRollout.open(connection, domain, RecordSource.cache())) {
      RolloutStatusCommand.warn(rollout.unreadable(), spec.commandLine().getErr());
      if (!rollout.isKnown()) {
        throw RolloutStatusCommand.unknown(domain, DomainRollout.domains(connection));
      }
      return rollout.history();
    }
  }

  /** Parses a time as users write it. */
  static Instant instant(String text) {
    try {
      return OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeException e) {
      try {
        return LocalDateTime.parse(text).atZone(ZoneId.systemDefault()).toInstant();
      } catch (DateTimeException none) {
        throw new UsageException(
            "--at: \"%s\" is no time such as 2026-11-22T09:00:00Z or 2026-11-22T10:00:00+01:00"
                .formatted(ShownText.of(text)),
            none);
      }
    }
  }

  /** Kafka's clock and this machine's may differ: a time that the log has reached is past. */
  private static void requirePast(Instant time, RolloutHistory history) {
    List<RolloutHistory.Entry> entries = history.entries();
    boolean logged = !entries.isEmpty() && !entries.get(entries.size() - 1).time().isBefore(time);
    if (!logged && time.isAfter(Instant.now())) {
      throw new UsageException(
          "--at: "
              + RolloutJson.time(time)
              + " is yet to come; it is now "
              + RolloutJson.time(Instant.now()));
    }
  }

  private List<RolloutHistory.Entry> chosen(RolloutHistory history) {
    List<RolloutHistory.Entry> entries = history.entries().stream().filter(this::isWanted).toList();
    int from = limit == null ? 0 : Math.max(0, entries.size() - limit);
    return entries.subList(from, entries.size());
  }

  private boolean isWanted(RolloutHistory.Entry entry) {
    return !decisions || entry.event().getAction() != RolloutAction.PUBLISHED;
  }

  private List<String> table(RolloutHistory history) {
    List<RolloutHistory.Entry> chosen = chosen(history);
    if (chosen.isEmpty()) {
      return List.of("Nothing was " + (decisions ? "decided" : "published or decided") + " yet");
    }
    TextTable table = new TextTable(TITLES, Set.of("revision"));
    Rollout before = Rollout.initial(domain);
    for (RolloutHistory.Entry entry : history.entries()) {
      if (entry.offset() >= chosen.get(0).offset() && isWanted(entry)) {
        table.add(row(before, entry));
      }
      before = entry.after();
    }
    return table.lines();
  }

  private static List<String> row(Rollout before, RolloutHistory.Entry entry) {
    RolloutEvent event = entry.event();
    return List.of(
        RolloutJson.time(entry.time()),
        Long.toString(entry.after().revision()),
        ShownText.of(event.getAuthor()),
        RolloutWords.what(event),
        effect(before, entry),
        event.getReason().isBlank() ? "-" : ShownText.of(event.getReason()));
  }

  private static String effect(Rollout before, RolloutHistory.Entry entry) {
    if (entry.objection() != null) {
      return "none: " + entry.objection();
    }
    boolean serves = !entry.after().stable().equals(before.stable());
    return Rollout.isDecision(entry.event().getAction()) || serves
        ? RolloutWords.change(before, entry.after())
        : "-";
  }

  private ArrayNode json(RolloutHistory history) {
    ArrayNode all = Json.array();
    chosen(history).forEach(entry -> all.add(RolloutJson.entryWithRevision(entry)));
    return all;
  }

  private static ObjectNode jsonAt(RolloutHistory history, Instant time) {
    ObjectNode json = RolloutJson.rollout(history.at(time));
    json.put("at", RolloutJson.time(time));
    json.set(
        "changed",
        RolloutWords.lastChange(history, time).map(RolloutJson::entryWithRevision).orElse(null));
    return json;
  }

  private static List<String> textAt(RolloutHistory history, Instant time) {
    Rollout state = history.at(time);
    List<String> lines = new ArrayList<>();
    lines.add(ShownText.of(state.domain()) + " at " + RolloutJson.time(time));
    lines.add("stable     " + version(state.stable().orElse(null)) + published(history, time));
    lines.add(
        "candidate  "
            + version(state.candidate())
            + (state.candidate() == null ? "" : ", " + RolloutWords.share(state.share())));
    if (state.held() != null) {
      lines.add("held       " + ShownText.of(state.held()));
    }
    lines.add("policy     " + RolloutDecisions.word(state.policy()));
    lines.add("revision   " + state.revision());
    RolloutEvent last = state.last();
    if (last == null) {
      lines.add("decided    nothing was decided yet");
    } else {
      Instant when = history.find(last.getEventId()).orElseThrow().time();
      lines.add("decided    " + RolloutWords.what(last));
      lines.add("by         " + ShownText.of(last.getAuthor()));
      lines.add("since      " + RolloutJson.time(when));
      lines.add(
          "reason     " + (last.getReason().isBlank() ? "-" : ShownText.of(last.getReason())));
    }
    return lines;
  }

  /** Under the policy latest, what serves is newer than the last decision. */
  private static String published(RolloutHistory history, Instant time) {
    return RolloutWords.lastChange(history, time)
        .filter(entry -> entry.event().getAction() == RolloutAction.PUBLISHED)
        .map(entry -> ", since " + RolloutJson.time(entry.time()))
        .orElse("");
  }

  private static String version(VersionRef version) {
    return version == null
        ? "-"
        : "%d, sha256 %s".formatted(version.getVersion(), version.getSha256());
  }
}
