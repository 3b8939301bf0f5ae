package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import org.apache.flink.metrics.MetricGroup;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What reaches the log file. */
@Tag("unit")
class LogTest {
  @Test
  void ofMetricsThatCollideTheCommittersAloneIsLeftOut() throws Exception {
    Logger flink = LoggerFactory.getLogger(MetricGroup.class);
    String here = UUID.randomUUID().toString();
    String collision =
        "Name collision: Group already contains a Metric with the name '{}'. Metric will not be"
            + " reported.[, taskmanager, {}, millrace]";
    flink.warn(collision, "pendingCommittables", here);
    flink.warn(collision, "windowAccuracy", here);

    Path log = Path.of(System.getProperty("millrace.logs"), "millrace.log");
    assertThat(Files.readAllLines(log))
        .filteredOn(line -> line.contains(here))
        .singleElement()
        .asString()
        .contains("'windowAccuracy'");
  }
}
