package io.millrace.inference.dashboard;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.TrainingProgress;
import java.net.URI;
import java.time.Instant;
import java.util.List;

/** One domain, with its curve. */
final class DomainDetail {
  private DomainDetail() {}

  /**
   * @param domain null where it is unknown
   * @param needs why it may need somebody
   * @param reports what each serving process says of it
   */
  static ObjectNode json(
      String name, TrackedDomain domain, Iterable<Need> needs, List<Replicas.Report> reports) {
    ObjectNode json = Json.object();
    json.put("domain", name);
    json.put("known", domain != null);
    TrackedDomain shown = domain == null ? new TrackedDomain(name) : domain;
    ArrayNode words = json.putArray("needs");
    needs.forEach(need -> words.add(need.word()));
    json.set("training", shown.training().map(each -> training(shown, each)).orElse(null));
    json.put("accuracy", Json.number(shown.history().accuracy(Overview.NOW)));
    json.set("comparison", Json.comparison(shown.comparison()));
    json.set("latest", Json.comparison(shown.history().latest(Overview.NOW)));
    json.put("latestTrained", shown.history().latestTrained(Overview.NOW));
    json.set("curve", curve(shown.history()));
    ArrayNode marks = json.putArray("marks");
    Publications publications = shown.publications();
    for (int i = 0; i < publications.size(); i++) {
      marks.add(
          json(new Mark(publications.time(i), "published", publications.version(i), "job", "")));
    }
    shown.decisions().forEach(mark -> marks.add(json(mark)));
    json.set("rollout", RolloutJson.rollout(shown.rollout()));
    json.set("evidence", shown.evidence().map(DomainDetail::evidence).orElse(null));
    ArrayNode processes = json.putArray("replicas");
    for (Replicas.Report report : reports) {
      processes.add(json(report, shown));
    }
    return json;
  }

  private static ObjectNode training(TrackedDomain domain, TrainingProgress training) {
    return Json.object()
        .put("step", training.getStep())
        .put("examples", training.getTotalExamples())
        .put("version", training.getVersion())
        .put("loss", Json.number(training.getLoss()))
        .put("stepMillis", Json.number(training.getStepMillis()))
        .put("steppedAt", Json.time(domain.steppedAt()))
        .put("newestExampleAt", Json.time(training.getNewestExampleAt()))
        .put("checkpointedAt", Json.time(training.getCheckpointedAt()));
  }

  private static ObjectNode curve(DomainHistory history) {
    ObjectNode json = Json.object();
    ArrayNode times = json.putArray("times");
    ArrayNode steps = json.putArray("steps");
    ArrayNode examples = json.putArray("examples");
    ArrayNode correct = json.putArray("correct");
    ArrayNode compared = json.putArray("compared");
    ArrayNode adapted = json.putArray("comparedAdapted");
    ArrayNode frozen = json.putArray("comparedFrozen");
    for (int i = 0; i < history.size(); i++) {
      Comparison comparison = history.comparison(i);
      times.add(history.time(i));
      steps.add(history.step(i));
      examples.add(history.examples(i));
      correct.add(history.correct(i));
      compared.add(comparison.examples());
      adapted.add(comparison.adapted());
      frozen.add(comparison.frozen());
    }
    return json;
  }

  private static ObjectNode json(Mark mark) {
    return Json.object()
        .put("time", mark.time())
        .put("action", mark.action())
        .put("version", mark.version() == 0 ? null : (Long) mark.version())
        .put("author", mark.author())
        .put("reason", mark.reason());
  }

  private static ObjectNode evidence(EvidenceProgress evidence) {
    return Json.object()
        .put("watch", evidence.getWatch())
        .put("tried", evidence.getTried())
        .put("against", evidence.getAgainst())
        .put("examples", evidence.getExamples())
        .put("wins", evidence.getWins())
        .put("losses", evidence.getLosses())
        .put("limit", evidence.getLimit());
  }

  /** What {@code /v1/adapters} of the process says, and when the newest example came. */
  private static ObjectNode json(Replicas.Report report, TrackedDomain domain) {
    ObjectNode json = Json.object();
    URI address = report.address();
    json.put("address", address.toString());
    json.put("problem", report.problem());
    JsonNode said = report.domain();
    for (String field : List.of("serving", "candidate", "versions", "refusals")) {
      json.set(field, said == null ? null : said.get(field));
    }
    JsonNode serving = said == null ? null : said.get("serving");
    Instant newest =
        serving == null || serving.isNull()
            ? null
            : domain.newestExampleOf(serving.path("version").asLong());
    json.put("newestExampleAt", Json.time(newest));
    return json;
  }
}
