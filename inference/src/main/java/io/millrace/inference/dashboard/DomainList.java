package io.millrace.inference.dashboard;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.schemas.VersionRef;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** A page of the list of domains. */
final class DomainList {
  /** Points of the small picture of a domain. */
  private static final int OUTLINE = 24;

  private final View view;
  private final Replicas replicas;
  private final Instant now;

  DomainList(View view, Replicas replicas, Instant now) {
    this.view = view;
    this.replicas = replicas;
    this.now = now;
  }

  /** A domain on the list, and what it is sorted by. */
  record Row(TrackedDomain domain, Set<Need> needs, double rank) {}

  /** All that are on the list, in its order, whatever the page. */
  List<Row> rows(Collection<TrackedDomain> all) {
    String search = view.search().toLowerCase(Locale.ROOT);
    List<Row> rows = new ArrayList<>();
    for (TrackedDomain domain : all) {
      if (search.isEmpty() || domain.name().toLowerCase(Locale.ROOT).contains(search)) {
        Set<Need> needs = Need.of(domain, replicas, now);
        if (isOn(needs)) {
          rows.add(new Row(domain, needs, rank(domain, needs)));
        }
      }
    }
    rows.sort(Comparator.comparingDouble(Row::rank).thenComparing(row -> row.domain().name()));
    return rows;
  }

  /** The page. */
  ObjectNode json(List<Row> rows) {
    int pages = Math.max(1, (rows.size() + View.PAGE - 1) / View.PAGE);
    int page = Math.min(view.page(), pages - 1);
    ObjectNode json = Json.object();
    json.put("search", view.search());
    json.put("filter", View.word(view.filter()));
    json.put("order", View.word(view.order()));
    json.put("page", page);
    json.put("pages", pages);
    json.put("matches", rows.size());
    ArrayNode shown = json.putArray("domains");
    rows.stream()
        .skip((long) page * View.PAGE)
        .limit(View.PAGE)
        .forEach(row -> shown.add(json(row)));
    return json;
  }

  private boolean isOn(Set<Need> needs) {
    return switch (view.filter()) {
      case ALL -> true;
      case NEEDS -> !needs.isEmpty();
      case DRIFT -> needs.contains(Need.DRIFT);
      case CANARY -> needs.contains(Need.CANARY) || needs.contains(Need.HELD);
      case HELD -> needs.contains(Need.HELD);
      case REFUSED -> needs.contains(Need.REFUSED);
    };
  }

  private double rank(TrackedDomain domain, Set<Need> needs) {
    return switch (view.order()) {
      case NAME -> 0;
      case NEEDS -> needs.isEmpty() ? Need.values().length : needs.iterator().next().ordinal();
      case RECENT -> domain.steppedAt() == null ? 0 : -domain.steppedAt().toEpochMilli();
      case GAIN -> {
        Comparison latest = domain.history().latest(Overview.NOW);
        yield latest.examples() == 0 ? 2 : latest.difference();
      }
    };
  }

  private static ObjectNode json(Row row) {
    TrackedDomain domain = row.domain();
    ObjectNode json = Json.object();
    json.put("domain", domain.name());
    ArrayNode needs = json.putArray("needs");
    row.needs().forEach(need -> needs.add(need.word()));
    json.put("stable", number(domain.rollout().stable().orElse(null)));
    json.put("candidate", number(domain.rollout().candidate()));
    json.put("accuracy", Json.number(domain.history().accuracy(Overview.NOW)));
    json.set("latest", Json.comparison(domain.history().latest(Overview.NOW)));
    json.put("steppedAt", Json.time(domain.steppedAt()));
    ArrayNode outline = json.putArray("outline");
    for (double each : domain.history().outline(OUTLINE)) {
      outline.add(Math.round(each * 1000) / 1000.0);
    }
    return json;
  }

  private static Long number(VersionRef version) {
    return version == null ? null : version.getVersion();
  }
}
