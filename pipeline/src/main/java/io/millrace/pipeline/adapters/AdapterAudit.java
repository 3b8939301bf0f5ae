package io.millrace.pipeline.adapters;

import io.millrace.pipeline.records.LoggedVersion;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.signing.PayloadHash;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Checks published versions against the invariants: the id of a version is the hash of its content,
 * it names its parent, and no version is missing, repeated or out of order. Records are added in
 * the order of the log; then {@link #domains} gives the result.
 */
public final class AdapterAudit {
  /** Compares an adapter with the base model it names. */
  public interface BaseCheck {
    /**
     * @return what is wrong; empty where nothing is, or there is nothing to compare with
     */
    Optional<String> fault(Adapter adapter);
  }

  /**
   * The result for one domain.
   *
   * @param checked how many versions
   * @param first the lowest; 0 where there is none
   * @param last the highest
   * @param faults one line each
   */
  public record Domain(String name, int checked, long first, long last, List<String> faults) {}

  private static final int SHOWN = 100;

  private static final class Seen {
    private final SortedMap<Long, AdapterVersion> versions = new TreeMap<>();
    private final Set<Long> pruned = new HashSet<>();
    private final List<String> faults = new ArrayList<>();
    private long highest;
  }

  private final BaseCheck bases;
  private final SortedMap<String, Seen> domains = new TreeMap<>();
  private final List<String> strays = new ArrayList<>();

  public AdapterAudit(BaseCheck bases) {
    this.bases = bases;
  }

  /** Takes the log's next record. */
  public void add(LoggedVersion<AdapterVersion> logged) {
    if (logged.domain().isEmpty()) {
      strays.add(logged.place() + ": its key is no domain@version");
      return;
    }
    Seen seen = domains.computeIfAbsent(logged.domain(), name -> new Seen());
    if (logged.content() instanceof LoggedVersion.Pruned<AdapterVersion>) {
      seen.pruned.add(logged.version());
      seen.versions.remove(logged.version());
    } else if (logged.content() instanceof LoggedVersion.Unreadable<AdapterVersion> broken) {
      seen.faults.add(
          "version %d, %s: unreadable: %s"
              .formatted(logged.version(), logged.place(), broken.why()));
    } else {
      add(seen, logged, logged.published().orElseThrow());
    }
  }

  private void add(Seen seen, LoggedVersion<AdapterVersion> logged, AdapterVersion record) {
    long version = record.getVersion();
    String name = "version " + version + ": ";
    if (!record.getDomain().equals(logged.domain()) || version != logged.version()) {
      seen.faults.add(
          "version %d, %s: the record is of %s@%d"
              .formatted(logged.version(), logged.place(), record.getDomain(), version));
      return;
    }
    contentFaults(record, bases).forEach(fault -> seen.faults.add(name + fault));
    if (seen.versions.containsKey(version)) {
      seen.faults.add(name + "published again, " + logged.place());
    } else if (version < seen.highest) {
      seen.faults.add(name + "comes after version " + seen.highest + ", " + logged.place());
    }
    seen.highest = Math.max(seen.highest, version);
    record.setPayload(ByteBuffer.allocate(0));
    seen.versions.put(version, record);
  }

  /** The faults of one record alone, one line each. The payload is not changed. */
  static List<String> contentFaults(AdapterVersion record, BaseCheck bases) {
    List<String> faults = new ArrayList<>();
    byte[] payload = new byte[record.getPayload().remaining()];
    record.getPayload().duplicate().get(payload);
    PayloadHash.of(record).fault().ifPresent(faults::add);
    Adapter adapter;
    try {
      adapter = Adapter.fromPayload(payload);
    } catch (AdapterException e) {
      faults.add(e.getMessage());
      return faults;
    }
    Map<String, Object> inPayload = fields(adapter);
    fields(record)
        .forEach(
            (field, value) -> {
              if (!value.equals(inPayload.get(field))) {
                faults.add(
                    "%s is %s in the record, %s in the payload"
                        .formatted(field, shown(value), shown(inPayload.get(field))));
              }
            });
    bases.fault(adapter).ifPresent(faults::add);
    return faults;
  }

  private static Map<String, Object> fields(AdapterVersion record) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("domain", record.getDomain());
    fields.put("version", record.getVersion());
    fields.put("parentSha256", Objects.requireNonNullElse(record.getParentSha256(), ""));
    fields.put("baseModel", record.getBaseModel());
    fields.put("baseSha256", record.getBaseSha256());
    fields.put("basisSha256", record.getBasisSha256());
    fields.put("method", record.getMethod());
    fields.put("pattern", record.getPattern());
    fields.put("trainableParameters", record.getTrainableParameters());
    fields.put("labels", List.copyOf(record.getLabels()));
    fields.put("steps", record.getSteps());
    fields.put("examples", record.getExamples());
    if (record.getManifest() != null) {
      fields.put("positionsSha256", record.getManifest().getPositionsSha256());
    }
    return fields;
  }

  private static Map<String, Object> fields(Adapter adapter) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("domain", adapter.domain());
    fields.put("version", adapter.version());
    fields.put("parentSha256", adapter.parentSha256());
    fields.put("baseModel", adapter.baseModel());
    fields.put("baseSha256", adapter.baseSha256());
    fields.put("basisSha256", adapter.basisSha256());
    fields.put("method", adapter.method().id());
    fields.put("pattern", adapter.method().patternId());
    fields.put("trainableParameters", (long) adapter.trainableParameters());
    fields.put("labels", adapter.labels());
    fields.put("steps", adapter.steps());
    fields.put("examples", adapter.examples());
    fields.put("positionsSha256", adapter.positionsSha256());
    return fields;
  }

  private static String shown(Object value) {
    String text = String.valueOf(value);
    if (text.isEmpty()) {
      return "(none)";
    }
    return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "...";
  }

  /** The results, by name of the domain. */
  public List<Domain> domains() {
    List<Domain> found = new ArrayList<>();
    domains.forEach(
        (name, seen) -> {
          List<String> faults = new ArrayList<>(seen.faults);
          faults.addAll(chainFaults(seen));
          boolean none = seen.versions.isEmpty();
          found.add(
              new Domain(
                  name,
                  seen.versions.size(),
                  none ? 0 : seen.versions.firstKey(),
                  none ? 0 : seen.versions.lastKey(),
                  Collections.unmodifiableList(faults)));
        });
    return found;
  }

  /** Records that belong to no domain, one line each. */
  public List<String> strays() {
    return Collections.unmodifiableList(strays);
  }

  private static List<String> chainFaults(Seen seen) {
    List<String> faults = new ArrayList<>();
    long expected = 1;
    AdapterVersion before = null;
    for (AdapterVersion version : seen.versions.values()) {
      missing(seen, expected, version.getVersion() - 1).ifPresent(faults::add);
      String parent = Objects.requireNonNullElse(version.getParentSha256(), "");
      String name = "version " + version.getVersion() + ": ";
      if (version.getVersion() == 1 && !parent.isEmpty()) {
        faults.add(name + "the first, and it names the parent " + parent);
      } else if (version.getVersion() > 1 && parent.isEmpty()) {
        faults.add(name + "it names no parent");
      } else if (before != null
          && before.getVersion() == version.getVersion() - 1
          && !parent.equals(before.getSha256())) {
        faults.add(
            name
                + "its parent is %s, version %d is %s"
                    .formatted(parent, before.getVersion(), before.getSha256()));
      }
      firstStepFault(before, version).ifPresent(fault -> faults.add(name + fault));
      expected = version.getVersion() + 1;
      before = version;
    }
    return faults;
  }

  /** A version's steps begin where its parent's end. */
  private static Optional<String> firstStepFault(AdapterVersion before, AdapterVersion version) {
    boolean first = version.getVersion() == 1;
    boolean follows = before != null && before.getVersion() == version.getVersion() - 1;
    if (version.getManifest() == null || !first && !follows) {
      return Optional.empty();
    }
    long begins = first ? 1 : before.getSteps() + 1;
    long named = version.getManifest().getFirstStep();
    return named == begins
        ? Optional.empty()
        : Optional.of("its manifest begins at step %d, not %d".formatted(named, begins));
  }

  /** A version may have been pruned, which a tombstone says; otherwise it is lost. */
  private static Optional<String> missing(Seen seen, long from, long to) {
    long first = from;
    while (first <= to && seen.pruned.contains(first)) {
      first++;
    }
    long last = to;
    while (last >= first && seen.pruned.contains(last)) {
      last--;
    }
    if (first > last) {
      return Optional.empty();
    }
    return Optional.of(
        first == last
            ? "version " + first + ": missing"
            : "versions %d to %d: missing".formatted(first, last));
  }
}
