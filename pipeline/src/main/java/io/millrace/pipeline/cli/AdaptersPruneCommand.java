package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.NotFoundException;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.adapters.PruningRule;
import io.millrace.pipeline.records.PrunableVersions;
import io.millrace.pipeline.records.RolloutLog;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.text.ShownText;
import java.io.PrintWriter;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Deletes versions that nobody needs any more. */
@Command(
    name = "prune",
    description = {
      "Delete old versions: tombstones in the topic adapters, which serving processes follow.",
      "Never deleted are the newest version of a domain, the versions that its rollout names, and"
          + " what a replay of those that stay needs, from the last snapshot before each of them. A"
          + " deleted version cannot serve, be exported or be replayed any more."
    },
    footer = {
      "",
      "Exit code 4 where a rollout named a version while it was being deleted; 1 where Kafka did not"
          + " take everything."
    })
final class AdaptersPruneCommand implements Callable<Integer> {
  private static final Pattern DAYS = Pattern.compile("([0-9]{1,6})([dhm])");

  @Option(
      names = "--keep",
      paramLabel = "N",
      description = "Keep the newest N versions of each domain.")
  private Integer keep;

  @Option(
      names = "--older-than",
      paramLabel = "D",
      description = "Delete only what was made longer ago, such as 30d or 12h.")
  private String olderThan;

  @Option(names = "--domain", paramLabel = "D", description = "This domain's only.")
  private String domain;

  @Option(names = "--dry-run", description = "Say what would be deleted, and delete nothing.")
  private boolean dryRun;

  @Mixin private final RecordSource source = new RecordSource();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(Connection.SETTINGS);

  @Spec private CommandSpec spec;

  /** For {@code --json}. */
  private final ArrayNode pruned = Json.array();

  @Override
  public Integer call() {
    Settings settings = options.load();
    if (keep == null && olderThan == null) {
      throw new UsageException("--keep N, --older-than D, or both are needed");
    }
    if (keep != null && keep < 1) {
      throw new UsageException("--keep: " + keep + " is not 1 or more");
    }
    Instant since = olderThan == null ? null : Instant.now().minus(age(olderThan));
    PruningRule rule = new PruningRule(keep == null ? 1 : keep, since);
    return source.read(
        settings, spec.commandLine().getErr(), connection -> prune(connection, rule));
  }

  private static Duration age(String text) {
    Matcher days = DAYS.matcher(text);
    try {
      if (days.matches()) {
        long number = Long.parseLong(days.group(1));
        return switch (days.group(2)) {
          case "d" -> Duration.ofDays(number);
          case "h" -> Duration.ofHours(number);
          default -> Duration.ofMinutes(number);
        };
      }
      Duration duration = Duration.parse(text);
      if (!duration.isNegative()) {
        return duration;
      }
    } catch (DateTimeException e) {
      // Reported below.
    }
    throw new UsageException(
        "--older-than: \"%s\" is no time such as 30d, 12h or PT90M".formatted(ShownText.of(text)));
  }

  private int prune(Connection connection, PruningRule rule) {
    PrunableVersions versions = PrunableVersions.read(connection, domain);
    if (domain != null && versions.of(domain).isEmpty()) {
      throw new NotFoundException("no adapters of the domain \"" + ShownText.of(domain) + "\"");
    }
    Map<String, Set<Long>> deleted = new HashMap<>();
    boolean clean;
    try (RolloutLog log = new RolloutLog(connection, domain)) {
      for (String name : versions.domains()) {
        // As late as it can be: a decision may name another version at any time.
        log.readOn();
        NavigableSet<Long> numbers = deletable(rule, versions, name, named(log, name));
        if (numbers.isEmpty()) {
          continue;
        }
        if (!dryRun) {
          versions.delete(name, numbers);
        }
        deleted.put(name, numbers);
        say(versions, name, numbers);
      }
      log.readOn();
      clean = dryRun || warn(log, deleted);
    }
    output.json(() -> Json.object().put("dryRun", dryRun).set("domains", pruned));
    output.say(
        "%,d of %,d versions %s"
            .formatted(
                deleted.values().stream().mapToInt(Set::size).sum(),
                versions.domains().stream().mapToInt(name -> versions.of(name).size()).sum(),
                dryRun ? "would be deleted; nothing was" : "deleted"));
    return clean ? ExitCode.DONE : ExitCode.CONFLICT;
  }

  private static NavigableSet<Long> deletable(
      PruningRule rule, PrunableVersions versions, String domain, Collection<Long> named) {
    NavigableMap<Long, Instant> made = new TreeMap<>();
    versions.of(domain).forEach((number, version) -> made.put(number, version.createdAt()));
    return rule.deletable(made, named, versions.snapshots(domain));
  }

  /** Numbers of the versions that serve, are tried, may be gone back to, or are due to serve. */
  private static Set<Long> named(RolloutLog log, String domain) {
    Rollout now = log.history(domain).now();
    return Stream.of(
            now.stable().orElse(null),
            now.decidedStable(),
            now.previous(),
            now.candidate(),
            now.newest())
        .filter(Objects::nonNull)
        .map(VersionRef::getVersion)
        .collect(Collectors.toSet());
  }

  /** Whether no rollout names a version that was deleted. */
  private boolean warn(RolloutLog log, Map<String, Set<Long>> deleted) {
    boolean clean = true;
    for (Map.Entry<String, Set<Long>> each : deleted.entrySet()) {
      String name = each.getKey();
      Set<Long> lost = new TreeSet<>(named(log, name));
      lost.retainAll(each.getValue());
      if (!lost.isEmpty()) {
        clean = false;
        PrintWriter err = spec.commandLine().getErr();
        err.printf(
            "millrace: %s: the rollout named version %s while it was being deleted; decide again%n",
            ShownText.of(name), lost);
        err.flush();
      }
    }
    return clean;
  }

  private void say(PrunableVersions versions, String domain, NavigableSet<Long> numbers) {
    long bytes =
        numbers.stream().mapToLong(number -> versions.of(domain).get(number).bytes()).sum();
    NavigableSet<Long> kept = new TreeSet<>(versions.of(domain).keySet());
    kept.removeAll(numbers);
    Long snapshot = versions.snapshots(domain).lower(kept.last());
    String replay =
        snapshot == null
            ? "no replay reaches them"
            : "a replay reaches the newest --from %d".formatted(snapshot);
    ObjectNode json = pruned.addObject();
    json.put("domain", domain);
    numbers.forEach(json.putArray("deleted")::add);
    json.put("bytes", bytes).put("kept", kept.size()).put("replayFrom", snapshot);
    output.say(
        "%s: %s%s, %,.1f MB; %d stay; %s"
            .formatted(
                ShownText.of(domain),
                dryRun ? "would delete " : "deleted ",
                AdapterSource.ranges(numbers),
                bytes / 1e6,
                kept.size(),
                replay));
  }
}
