package io.millrace.benchmarks.replay;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The training rate of a command of {@code bin/millrace}, from the report it wrote.
 *
 * @param examples trained on
 * @param perSecond examples per second, the first step left out; 0 where there is no second
 */
record ReportedRate(long examples, double perSecond) {
  private static final JsonMapper JSON = new JsonMapper();

  /**
   * The rate in the report of {@code train}, one JSON object.
   *
   * @throws IllegalStateException where it is none
   */
  static ReportedRate ofTraining(Path report) {
    JsonNode run = read(report);
    return new ReportedRate(
        number(run, "examples", report).asLong(),
        number(run, "examplesPerSecond", report).asDouble());
  }

  /**
   * The rate in the report of {@code replay}, one JSON object for each domain, replayed one after
   * the other. The rate is that of all domains together.
   *
   * @throws IllegalStateException where it is none
   */
  static ReportedRate ofReplay(Path report) {
    JsonNode domains = read(report);
    if (!domains.isArray()) {
      throw new IllegalStateException(report + " holds no list of domains");
    }
    long examples = 0;
    long timed = 0;
    double seconds = 0;
    for (JsonNode domain : domains) {
      long ofDomain = number(domain, "examples", report).asLong();
      double perSecond = number(domain, "examplesPerSecond", report).asDouble();
      examples += ofDomain;
      // A domain of one step has no rate.
      if (perSecond > 0) {
        timed += ofDomain;
        seconds += ofDomain / perSecond;
      }
    }
    return new ReportedRate(examples, seconds == 0 ? 0 : timed / seconds);
  }

  private static JsonNode read(Path report) {
    try {
      return JSON.readTree(report.toFile());
    } catch (IOException e) {
      throw new IllegalStateException("cannot read the report " + report, e);
    }
  }

  private static JsonNode number(JsonNode object, String name, Path report) {
    JsonNode value = object.path(name);
    if (!value.isNumber()) {
      throw new IllegalStateException("the report " + report + " holds no number " + name);
    }
    return value;
  }

  /**
   * This.
   *
   * @throws IllegalStateException where there was no second step to take the time of
   */
  ReportedRate requireRate() {
    if (perSecond <= 0) {
      throw new IllegalStateException(
          "%,d examples are too few for a rate: no domain has two steps".formatted(examples));
    }
    return this;
  }
}
