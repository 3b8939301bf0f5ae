package io.millrace.operators.evidence;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Comparison;
import io.millrace.schemas.VersionPlace;
import io.millrace.schemas.VersionRef;
import io.millrace.svft.method.AdapterException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;

/**
 * The versions of a domain's comparison, with their payloads: fetched once, then kept in keyed
 * state while the comparison runs, since the topic may lose them meanwhile. Beside them stands
 * where each version of the domain lies in the topic, so that one is fetched by its offset.
 *
 * <p>All methods apply to the domain that is Flink's current key.
 */
final class ComparedVersions {
  private final PublishedAdapters published;
  private final MapState<String, AdapterVersion> versions;
  private final MapState<Long, VersionPlace> places;

  ComparedVersions(RuntimeContext context, PublishedAdapters published) {
    this.published = published;
    versions =
        context.getMapState(
            new MapStateDescriptor<>(
                "versions", Types.STRING, new AvroTypeInfo<>(AdapterVersion.class)));
    places =
        context.getMapState(
            new MapStateDescriptor<>("places", Types.LONG, new AvroTypeInfo<>(VersionPlace.class)));
  }

  /** The topic has a record of a version: the version, or its tombstone. */
  void note(VersionPlace place) throws Exception {
    if (place.getSha256() == null) {
      places.remove(place.getVersion());
    } else {
      places.put(place.getVersion(), place);
    }
  }

  /**
   * A version with its payload; empty where the topic does not hold it now.
   *
   * @throws AdapterException where the topic holds another version of that number
   * @throws IOException where the look-up fails now; a later one may succeed
   */
  Optional<AdapterVersion> find(String domain, VersionRef ref) throws Exception {
    AdapterVersion kept = versions.get(ref.getSha256());
    if (kept != null) {
      return Optional.of(kept);
    }
    VersionPlace place = places.get(ref.getVersion());
    if (place == null) {
      return Optional.empty();
    }
    if (!place.getSha256().equals(ref.getSha256())) {
      throw new AdapterException(
          "the topic adapters holds another version %d: %s instead of %s"
              .formatted(ref.getVersion(), place.getSha256(), ref.getSha256()));
    }
    Optional<AdapterVersion> found = published.at(domain, place);
    if (found.isPresent()) {
      versions.put(ref.getSha256(), found.get());
    }
    return found;
  }

  /**
   * Drops the versions that a comparison does not need.
   *
   * @param comparison null where nothing is compared any more
   */
  void keepOnly(Comparison comparison) throws Exception {
    List<String> unused = new ArrayList<>();
    for (String sha256 : versions.keys()) {
      if (comparison == null
          || !(sha256.equals(comparison.getTried().getSha256())
              || sha256.equals(comparison.getAgainst().getSha256()))) {
        unused.add(sha256);
      }
    }
    for (String sha256 : unused) {
      versions.remove(sha256);
    }
  }
}
