package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import picocli.CommandLine;

@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class TopicsCommandTest {
  @Test
  void itMakesWhatIsMissingAndLeavesWhatIsThere(KafkaBroker kafka) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
      NewTopic theirs = new NewTopic(Topics.ADAPTERS, Optional.of(7), Optional.empty());
      admin.createTopics(List.of(theirs)).all().get();
      String there = "kafka.bootstrap.servers=" + kafka.bootstrapServers();

      assertThat(topics("--set", there, "--set", "kafka.client.id=me"))
          .contains("Made labeled-examples with 4 partitions")
          .doesNotContain(Topics.ADAPTERS);
      assertThat(topics("--set", there)).isEqualToIgnoringNewLines("All topics are there already");
      assertThat(partitions(admin, Topics.ADAPTERS)).isEqualTo(7);
      assertThat(partitions(admin, Topics.DEAD_LETTERS)).isEqualTo(4);
    }
  }

  private static String topics(String... arguments) {
    StringWriter said = new StringWriter();
    CommandLine command = new CommandLine(new TopicsCommand()).setOut(new PrintWriter(said, true));
    assertThat(command.execute(arguments)).as("%s", said).isZero();
    return said.toString();
  }

  /** A broker knows a topic a moment after it was made. */
  private static int partitions(Admin admin, String topic) throws Exception {
    Await.value(
        "the broker knows the topic " + topic,
        () -> admin.listTopics().names().get(),
        names -> names.contains(topic));
    return admin
        .describeTopics(List.of(topic))
        .allTopicNames()
        .get()
        .get(topic)
        .partitions()
        .size();
  }
}
