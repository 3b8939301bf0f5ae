package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.embedded.TopicLayout;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.errors.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Makes Millrace's topics on a Kafka cluster that is already there. */
@Command(
    name = "topics",
    description = {
      "Make Millrace's topics on a Kafka cluster that is already there; millrace up makes its own.",
      "A topic that exists stays as it is. Replication is the brokers' default."
    })
final class TopicsCommand implements Callable<Integer> {
  private static final List<Setting<?>> SETTINGS =
      Stream.of(List.of(TopicLayout.PARTITIONS), Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Override
  public Integer call() throws InterruptedException {
    Settings settings = options.load();
    Connection connection = new Connection(settings);
    List<String> made = make(connection, settings);
    int partitions = settings.get(TopicLayout.PARTITIONS);
    made.forEach(topic -> output.say("Made %s with %d partitions".formatted(topic, partitions)));
    if (made.isEmpty()) {
      output.say("All topics are there already");
    }
    output.json(() -> json(made, partitions));
    return 0;
  }

  private static JsonNode json(List<String> made, int partitions) {
    ObjectNode json = Json.object();
    ArrayNode topics = json.putArray("made");
    made.forEach(topic -> topics.addObject().put("topic", topic).put("partitions", partitions));
    return json;
  }

  private static List<String> make(Connection connection, Settings settings)
      throws InterruptedException {
    try (Admin admin = Admin.create(connection.properties())) {
      return TopicLayout.create(admin, settings);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TimeoutException) {
        throw new IllegalStateException(
            ("no Kafka broker answers at %s; is it running, and are kafka.bootstrap.servers and"
                    + " kafka.security.protocol right?")
                .formatted(connection.bootstrapServers()));
      }
      throw new IllegalStateException(
          "cannot make the topics at " + connection.bootstrapServers(), e.getCause());
    }
  }
}
