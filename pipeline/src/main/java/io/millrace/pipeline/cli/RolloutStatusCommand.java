package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.NotFoundException;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.records.DomainRollout;
import io.millrace.pipeline.records.KnownVersions;
import io.millrace.pipeline.records.RolloutLog;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.schemas.text.ShownText;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Prints which versions serve. */
@Command(name = "status", description = "Say which versions serve, by domain, and who decided it.")
final class RolloutStatusCommand implements Callable<Integer> {
  private static final List<String> TITLES =
      List.of(
          "domain", "policy", "stable", "candidate", "share", "revision", "since", "by", "reason");

  /** Right-aligned columns. */
  private static final Set<String> NUMBERS = Set.of("stable", "candidate", "share", "revision");

  @Option(names = "--domain", paramLabel = "D", description = "This domain's only.")
  private String domain;

  @Option(names = "--json", description = "As one JSON array, with whole hashes.")
  private boolean json;

  @Mixin private final RecordSource source = new RecordSource();

  @Mixin private final SettingsOptions options = new SettingsOptions(Connection.SETTINGS);

  @Spec private CommandSpec spec;

  /**
   * The status of one domain.
   *
   * @param changed the last event that changed what serves; null if there is none
   */
  private record Row(Rollout rollout, RolloutHistory.Entry changed) {}

  @Override
  public Integer call() {
    Settings settings = options.load();
    List<Row> rows = source.read(settings, spec.commandLine().getErr(), this::read);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      ArrayNode all = Json.array();
      rows.forEach(row -> all.add(json(row)));
      Json.print(all, out);
    } else if (rows.isEmpty()) {
      out.println("Nothing was published yet");
    } else {
      table(rows).forEach(out::println);
    }
    out.flush();
    return 0;
  }

  private List<Row> read(Connection connection) {
    KnownVersions versions = KnownVersions.read(connection, domain);
    try (RolloutLog log = RolloutLog.cached(connection, domain, RecordSource.cache())) {
      log.readOn();
      warn(log.unreadable(), spec.commandLine().getErr());
      Set<String> domains = new TreeSet<>(log.domains());
      domains.addAll(versions.domains());
      if (domain != null && !domains.contains(domain)) {
        throw unknown(domain, DomainRollout.domains(connection));
      }
      List<Row> rows = new ArrayList<>();
      for (String name : domain == null ? domains : Set.of(domain)) {
        rows.add(row(log.history(name), versions));
      }
      return rows;
    }
  }

  private static Row row(RolloutHistory history, KnownVersions versions) {
    NavigableMap<Long, VersionRef> published = versions.of(history.now().domain());
    Rollout now =
        history.now().orNewest(() -> published.isEmpty() ? null : published.lastEntry().getValue());
    return new Row(now, RolloutWords.lastChange(history, Instant.MAX).orElse(null));
  }

  private static List<String> table(List<Row> rows) {
    TextTable table = new TextTable(TITLES, NUMBERS);
    for (Row row : rows) {
      Rollout rollout = row.rollout();
      RolloutEvent event = row.changed() == null ? null : row.changed().event();
      table.add(
          List.of(
              ShownText.of(rollout.domain()),
              RolloutDecisions.word(rollout.policy()),
              RolloutWords.number(rollout.stable().orElse(null)),
              RolloutWords.number(rollout.candidate()),
              rollout.candidate() == null ? "-" : RolloutWords.share(rollout.share()),
              Long.toString(rollout.revision()),
              event == null ? "-" : RolloutJson.time(row.changed().time()),
              event == null ? "-" : ShownText.of(event.getAuthor()),
              reason(rollout, event)));
    }
    return table.lines();
  }

  private static String reason(Rollout rollout, RolloutEvent event) {
    if (rollout.held() != null) {
      return "held: " + ShownText.of(rollout.held());
    }
    boolean bare = event == null || event.getReason().isBlank();
    return bare ? "-" : ShownText.of(event.getReason());
  }

  private static ObjectNode json(Row row) {
    ObjectNode json = RolloutJson.rollout(row.rollout());
    json.set(
        "changed", row.changed() == null ? null : RolloutJson.entryWithRevision(row.changed()));
    return json;
  }

  /** The exception for an unknown domain; it names the known ones. */
  static NotFoundException unknown(String domain, Collection<String> known) {
    return new NotFoundException(
        known.isEmpty()
            ? "there is no domain yet: nothing was published"
            : "there is no domain \"%s\"; there are %s"
                .formatted(
                    ShownText.of(domain),
                    AdapterSource.sample(known.stream().map(ShownText::of).toList())));
  }

  /** Prints which records are left out. */
  static void warn(List<String> unreadable, PrintWriter err) {
    unreadable.forEach(each -> err.println("millrace: left out, " + ShownText.of(each)));
    err.flush();
  }
}
