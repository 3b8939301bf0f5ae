package io.millrace.pipeline.cli;

import io.millrace.client.process.NotFoundException;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.records.AdapterLog;
import io.millrace.pipeline.records.LoggedVersion;
import io.millrace.pipeline.records.PublishedVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.signing.PayloadHash;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import picocli.CommandLine.Mixin;

/** Reads versions for the commands on adapters, from Kafka or a data directory; a picocli mixin. */
final class AdapterSource {
  @Mixin private final RecordSource records = new RecordSource();

  /**
   * One version.
   *
   * @param record as it was published; empty for a payload from a file
   */
  record Version(Adapter adapter, byte[] payload, String sha256, Optional<AdapterVersion> record) {
    String name() {
      return ShownText.of(adapter.domain()) + "@" + adapter.version();
    }
  }

  /** Reads the log, from a stack that is started for that where a directory was named. */
  <T> T read(Settings settings, PrintWriter err, Function<AdapterLog<AdapterVersion>, T> reader) {
    return records.read(
        settings,
        err,
        connection -> {
          try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection)) {
            return reader.apply(log);
          }
        });
  }

  /**
   * The version that a command's options name.
   *
   * @param payload a file to read instead of the log; null where there is none
   * @param domain null where there is only one
   * @param number null for the newest
   * @throws NotFoundException where there is no such version; it says which there are
   * @throws UsageException where the options do not say which
   */
  Version choose(Settings settings, PrintWriter err, Path payload, String domain, Long number) {
    if (payload == null) {
      return read(settings, err, log -> choose(log, err, domain, number));
    }
    requireAlone(payload, domain, number);
    return file(payload);
  }

  /**
   * @throws UsageException if a payload's file is named together with options that choose another
   *     version
   */
  void requireAlone(Path payload, String domain, Long number) {
    if (records.named() || domain != null || number != null) {
      throw new UsageException(
          "--payload: " + payload + " is one version: leave --data, --domain and --version out");
    }
  }

  /**
   * The version in a payload's file.
   *
   * @throws UsageException if the file holds no payload
   */
  static Version file(Path payload) {
    try {
      byte[] bytes = Files.readAllBytes(payload);
      return new Version(Adapter.fromPayload(bytes), bytes, Sha256.of(bytes), Optional.empty());
    } catch (AdapterException e) {
      throw new UsageException(payload + ": " + e.getMessage(), e);
    } catch (IOException e) {
      throw new UsageException("--payload: " + payload + " cannot be read: " + e, e);
    }
  }

  private static Version choose(
      AdapterLog<AdapterVersion> log, PrintWriter err, String named, Long number) {
    PublishedVersions versions = PublishedVersions.of(log);
    warn(versions, err);
    if (named == null && versions.domains().size() > 1) {
      throw new UsageException("--domain is needed: there are " + names(versions));
    }
    String domain = named != null ? named : versions.domains().stream().findFirst().orElse("");
    requireDomain(versions, domain);
    Collection<PublishedVersions.Entry> all = versions.of(domain);
    List<Long> numbers = all.stream().map(entry -> entry.record().getVersion()).toList();
    long newest = numbers.get(numbers.size() - 1);
    PublishedVersions.Entry entry =
        versions
            .of(domain, number == null ? newest : number)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "%s has no version %d; it has %s"
                            .formatted(ShownText.of(domain), number, ranges(numbers))));
    LoggedVersion<AdapterVersion> logged = log.at(entry.partition(), entry.offset());
    AdapterVersion record =
        logged
            .published()
            .orElseThrow(() -> new IllegalStateException(logged.place() + " cannot be read"));
    return published(record);
  }

  private static Version published(AdapterVersion record) {
    byte[] payload = new byte[record.getPayload().remaining()];
    record.getPayload().duplicate().get(payload);
    String name = ShownText.of(record.getDomain()) + "@" + record.getVersion();
    PayloadHash hash = PayloadHash.of(record);
    if (!hash.matches()) {
      throw new IllegalStateException(name + " is damaged: " + hash.fault().orElseThrow());
    }
    try {
      return new Version(Adapter.fromPayload(payload), payload, hash.id(), Optional.of(record));
    } catch (AdapterException e) {
      throw new IllegalStateException(name + " is damaged: " + e.getMessage(), e);
    }
  }

  /**
   * @throws NotFoundException where the domain has no versions
   */
  static void requireDomain(PublishedVersions versions, String domain) {
    if (versions.of(domain).isEmpty()) {
      throw new NotFoundException(
          versions.domains().isEmpty()
              ? "no adapters are published"
              : "no adapters of the domain \"%s\"; there are %s"
                  .formatted(ShownText.of(domain), names(versions)));
    }
  }

  /** Prints which records could not be read. */
  static void warn(PublishedVersions versions, PrintWriter err) {
    versions.unreadable().forEach(each -> err.println("millrace: left out, " + each));
    err.flush();
  }

  private static String names(PublishedVersions versions) {
    return sample(versions.domains().stream().map(ShownText::of).toList());
  }

  /** At most ten names, joined to one line. */
  static String sample(List<String> names) {
    int most = 10;
    return names.size() <= most
        ? String.join(", ", names)
        : String.join(", ", names.subList(0, most)) + " and " + (names.size() - most) + " more";
  }

  /** Ascending numbers, in few words: {@code 1 to 4, 6}. */
  static String ranges(Collection<Long> ascending) {
    List<Long> numbers = List.copyOf(ascending);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < numbers.size(); i++) {
      int start = i;
      while (i + 1 < numbers.size() && numbers.get(i + 1) == numbers.get(i) + 1) {
        i++;
      }
      text.append(text.isEmpty() ? "" : ", ").append(numbers.get(start));
      text.append(i > start ? " to " + numbers.get(i) : "");
    }
    return text.toString();
  }
}
