package io.millrace.client.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class SettingsTest {
  private static final Setting<Integer> SIZE = Setting.integer("batch.size", 16, 1, 1024, "");
  private static final Setting<Double> RATE = Setting.decimal("learning.rate", 0.03, 0, 1, "");
  private static final Setting<String> BROKERS = Connection.BOOTSTRAP_SERVERS;
  private static final Setting<String> KAFKA =
      Connection.SETTINGS.stream()
          .filter(setting -> setting.key().equals("kafka."))
          .map(setting -> Setting.handedOn("kafka.", setting.otherSystem().orElseThrow(), ""))
          .findFirst()
          .orElseThrow();
  private static final Setting<String> ANY = Setting.handedOn("any.", set -> Optional.empty(), "");
  private static final List<Setting<?>> KNOWN = List.of(SIZE, RATE, BROKERS, KAFKA, ANY);

  @TempDir private Path directory;

  @Test
  void anItemWinsOverTheFileAndTheFileOverTheDefault() throws IOException {
    Path file = file("batch.size = 32 \nlearning.rate=0.5\n# a remark\n");
    Settings settings = Settings.of(KNOWN, file, List.of("batch.size=64", "batch.size= 8"));

    assertThat(settings.get(SIZE)).isEqualTo(8);
    assertThat(settings.get(RATE)).isEqualTo(0.5);
    assertThat(settings.get(BROKERS)).isEqualTo("127.0.0.1:9092");
    assertThat(settings.explicit()).containsOnlyKeys("batch.size", "learning.rate");
  }

  @Test
  void keysOfOtherSystemsAreHandedOn() {
    Settings settings =
        set("kafka.linger.ms=5", "kafka.bootstrap.servers=k:9092", "any.x.y=a=b", "any.e=");

    assertThat(settings.under("kafka.")).containsExactly(entry("linger.ms", "5"));
    assertThat(settings.under("any.")).containsExactly(entry("e", ""), entry("x.y", "a=b"));
    assertThat(settings.under("schema.registry.")).isEmpty();
  }

  @Test
  void anUnknownKeyIsRefusedWithTheNearestKnownOne() {
    refused("batchsize=16", "no setting is called 'batchsize'; the nearest is batch.size");
    refused(
        "leraning.rate=1", "no setting is called 'leraning.rate'; the nearest is learning.rate");
  }

  @Test
  void oneLetterOffADeclaredKeyIsNotHandedOn() {
    refused(
        "kafka.bootstrap.server=k:9092",
        "no setting is called 'kafka.bootstrap.server'; the nearest is kafka.bootstrap.servers");
  }

  @Test
  void whatTheOtherSystemDoesNotKnowIsRefused() throws IOException {
    refused(
        "kafka.linger.mss=5",
        "no setting is called 'kafka.linger.mss'; the nearest is kafka.linger.ms");
    refused(
        "kafka.sasl.jaasconfig=5",
        "no setting is called 'kafka.sasl.jaasconfig'; the nearest is kafka.sasl.jaas.config");
    refused("flink.x=5", "no setting is called 'flink.x'; the nearest is batch.size");
    Path file = file("kafka.linger.mss=5");
    refused(file, "config file " + file + ": no setting is called 'kafka.linger.mss'");
    assertThat(set("kafka.linger.mss=5", "kafka.interceptor.classes=mine").under("kafka."))
        .as("a plug-in may know any name")
        .containsKey("linger.mss");
  }

  @Test
  void aBadItemIsRefused() {
    refused("batch.size", "'batch.size' is not a setting: write key=value");
    refused("=16", "'=16' is not a setting: write key=value");
    refused("batch.size=0", "batch.size: '0' is not a whole number from 1 to 1024");
  }

  @Test
  void aBadFileIsRefusedByItsName() throws IOException {
    Path missing = directory.resolve("missing.properties");
    refused(missing, "config file " + missing + " does not exist");
    refused(directory, "config file " + directory + " cannot be read: ");
    Path wrong = file("batch.size=many");
    refused(wrong, "config file " + wrong + ": batch.size: 'many' is not a whole number");
    Path escape = file("batch.size=\\u00zz");
    refused(escape, "config file " + escape + " cannot be read: Malformed \\uxxxx encoding.");
    Path latin = file("");
    Files.write(latin, "batch.size=\u00e9".getBytes(StandardCharsets.ISO_8859_1));
    refused(latin, "config file " + latin + " is not UTF-8");
  }

  @Test
  void aLaterFileWinsAndAMistakeNamesItsFile() throws Exception {
    Path shared = file("batch.size=2\nkafka.linger.ms=5");
    Path own = file("batch.size=3");

    Settings settings = of(List.of(shared, own));

    assertThat(settings.get(SIZE)).isEqualTo(3);
    assertThat(settings.under("kafka.")).containsExactly(entry("linger.ms", "5"));
    assertThat(of(List.of(own, shared)).get(SIZE)).isEqualTo(2);
    Path wrong = file("batch.size=many");
    assertThatThrownBy(() -> of(List.of(shared, wrong)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("config file " + wrong + ": batch.size: 'many'");
  }

  private static Settings of(List<Path> files) {
    return Settings.of(KNOWN, files, Map.of(), List.of());
  }

  @Test
  void aChangedSettingIsCheckedAndLeavesTheOriginal() {
    Settings settings = set();

    assertThat(settings.with(SIZE, 4).get(SIZE)).isEqualTo(4);
    assertThat(settings.get(SIZE)).isEqualTo(16);
    assertThatThrownBy(() -> settings.with(SIZE, 0)).isInstanceOf(UsageException.class);
  }

  @Test
  void aSettingNobodyDeclaredIsABug() {
    Setting<Integer> other = Setting.integer("other", 1, 1, 2, "");
    assertThatThrownBy(() -> set().get(other)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Settings.of(List.of(other, other), null, List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void settingsTravelToOtherProcesses() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(set("batch.size=4", "kafka.linger.ms=5"));
    }
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      Settings arrived = (Settings) in.readObject();
      assertThat(arrived.get(SIZE)).isEqualTo(4);
      assertThat(arrived.under("kafka.")).containsExactly(entry("linger.ms", "5"));
    }
  }

  private Path file(String content) throws IOException {
    return Files.writeString(Files.createTempFile(directory, "settings", ".properties"), content);
  }

  private static Settings set(String... items) {
    return Settings.of(KNOWN, null, List.of(items));
  }

  private static void refused(String item, String message) {
    assertThatThrownBy(() -> set(item)).isInstanceOf(UsageException.class).hasMessage(message);
  }

  private static void refused(Path file, String message) {
    assertThatThrownBy(() -> Settings.of(KNOWN, file, List.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(message);
  }
}
