package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.records.PublishedVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.text.ShownText;
import java.io.PrintWriter;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lists the published versions. */
@Command(name = "list", description = "List the published versions, by domain, the newest last.")
final class AdaptersListCommand implements Callable<Integer> {
  private static final List<String> TITLES =
      List.of(
          "domain",
          "version",
          "sha256",
          "method",
          "trainables",
          "labels",
          "examples",
          "bytes",
          "created",
          "parent");

  /** Right-aligned columns. */
  private static final Set<String> NUMBERS =
      Set.of("version", "trainables", "labels", "examples", "bytes");

  private static final int HASH_DIGITS = 12;

  @Option(names = "--domain", paramLabel = "D", description = "This domain's only.")
  private String domain;

  @Option(names = "--json", description = "As one JSON array, with whole hashes and labels.")
  private boolean json;

  @Mixin private final AdapterSource source = new AdapterSource();

  @Mixin private final SettingsOptions options = new SettingsOptions(Connection.SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Settings settings = options.load();
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    PublishedVersions versions = source.read(settings, err, PublishedVersions::of);
    AdapterSource.warn(versions, err);
    if (domain != null) {
      AdapterSource.requireDomain(versions, domain);
    }
    List<PublishedVersions.Entry> entries =
        (domain == null ? versions.domains() : Set.of(domain))
            .stream().flatMap(name -> versions.of(name).stream()).toList();
    if (json) {
      Json.print(json(entries), out);
    } else if (entries.isEmpty()) {
      out.println("No adapters are published");
    } else {
      table(entries).forEach(out::println);
    }
    out.flush();
    return 0;
  }

  private static ArrayNode json(List<PublishedVersions.Entry> entries) {
    ArrayNode all = Json.array();
    for (PublishedVersions.Entry entry : entries) {
      AdapterVersion record = entry.record();
      ObjectNode each = AdaptersShowCommand.json(record);
      each.put("bytes", entry.bytes());
      all.add(each);
    }
    return all;
  }

  private static List<String> table(List<PublishedVersions.Entry> entries) {
    TextTable table = new TextTable(TITLES, NUMBERS);
    for (PublishedVersions.Entry entry : entries) {
      AdapterVersion record = entry.record();
      String pattern = record.getPattern().isEmpty() ? "" : ":" + record.getPattern();
      table.add(
          List.of(
              ShownText.of(record.getDomain()),
              Long.toString(record.getVersion()),
              digits(record.getSha256()),
              record.getMethod() + pattern,
              Long.toString(record.getTrainableParameters()),
              Integer.toString(record.getLabels().size()),
              Long.toString(record.getExamples()),
              Integer.toString(entry.bytes()),
              record.getCreatedAt().truncatedTo(ChronoUnit.SECONDS).toString(),
              parent(record)));
    }
    return table.lines();
  }

  /** The version before, or of the first one what it started from. */
  private static String parent(AdapterVersion record) {
    if (record.getParentSha256() != null) {
      return digits(record.getParentSha256());
    }
    return record.getManifest() == null || record.getManifest().getStartedFrom() == null
        ? "-"
        : ShownText.of(record.getManifest().getStartedFrom().getDomain())
            + "@"
            + record.getManifest().getStartedFrom().getVersion();
  }

  private static String digits(String sha256) {
    return sha256.substring(0, Math.min(HASH_DIGITS, sha256.length()));
  }
}
