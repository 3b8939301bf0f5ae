package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedKafka;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.DomainRollout;
import io.millrace.pipeline.records.TestJob;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** {@code rollout} on a running stack and on one's directory. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(200)
class RolloutCommandTest {
  private static final int CHANGES = 50;

  @TempDir private static Path root;
  private static Settings settings;
  private static Connection connection;
  private static TestJob job;

  @BeforeAll
  static void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    settings = TestStack.renew(kafka, registry, defaults).connect(defaults);
    connection = new Connection(settings);
    job = new TestJob(connection, "job");
    publish("mail", 5).forEach(job::publish);
  }

  private static List<AdapterVersion> publish(String domain, int count) {
    return TestVersions.chain(domain, count);
  }

  @AfterAll
  static void stop() {
    job.close();
  }

  @Test
  void aDecisionIsOneLineThatSaysWhatServesNow() throws Exception {
    publish("reviews", 17).forEach(job::publish);

    assertThat(done("rollback", "--domain", "reviews"))
        .isEqualTo("reviews: stable 16 (was 17), policy manual, revision 1");
    assertThat(done("canary", "--domain", "reviews"))
        .isEqualTo("reviews: stable 16, candidate 17 at 10 %, policy canary, revision 2");
    assertThat(done("canary", "--domain", "reviews", "--version", "3", "--share", "2.5%"))
        .isEqualTo("reviews: stable 16, candidate 3 at 2.5 %, policy canary, revision 3");
    assertThat(done("promote", "--domain", "reviews", "--by", "ann", "--reason", "it is good"))
        .isEqualTo("reviews: stable 3 (was 16), no candidate (was 3), policy canary, revision 4");
    assertThat(done("rollback", "--domain", "reviews"))
        .isEqualTo("reviews: stable 16 (was 3), policy canary, revision 5");
    assertThat(done("pin", "--domain", "reviews", "--version", "12", "--revision", "5"))
        .isEqualTo("reviews: stable 12 (was 16), policy pinned, revision 6");
    assertThat(done("policy", "latest", "--domain", "reviews"))
        .isEqualTo("reviews: stable 17 (was 12), policy latest, revision 7");

    JsonNode promoted = json("history", "--domain", "reviews", "--decisions", "--json").get(3);
    assertThat(promoted.path("author").asText()).isEqualTo("ann");
    assertThat(promoted.path("reason").asText()).isEqualTo("it is good");
    assertThat(promoted.path("version").path("version").asLong()).isEqualTo(3);
    assertThat(promoted.path("revision").asLong()).isEqualTo(4);
    assertThat(promoted.path("effect").asBoolean()).isTrue();
  }

  @Test
  void statusIsATableByDomain() throws Exception {
    publish("st\u001btus", 2).forEach(job::publish);
    done(
        "canary",
        "--domain",
        "st\u001btus",
        "--version",
        "1",
        "--by",
        "bob",
        "--reason",
        "why not");

    List<String> table = rollout("status").out();
    List<String> row = table.stream().filter(line -> line.startsWith("st\\u001btus")).toList();

    assertThat(table.get(0).split(" +"))
        .containsExactly(
            "domain",
            "policy",
            "stable",
            "candidate",
            "share",
            "revision",
            "since",
            "by",
            "reason");
    assertThat(row).hasSize(1);
    assertThat(row.get(0)).matches("st\\\\u001btus +canary +2 +1 +10 % +1 +\\S+Z +bob +why not");
    assertThat(table).anyMatch(line -> line.startsWith("mail "));
    JsonNode one = json("status", "--domain", "st\u001btus", "--json");
    assertThat(one).hasSize(1);
    assertThat(one.get(0).path("stable").path("sha256").asText()).hasSize(64);
    assertThat(one.get(0).path("share").asDouble()).isEqualTo(0.1);
    assertThat(one.get(0).path("changed").path("author").asText()).isEqualTo("bob");
  }

  /** What a topic from before there were rollouts holds. */
  @Test
  void aDomainWithoutEventsServesItsNewestVersionAndCanBeRolledBack() {
    List<AdapterVersion> chain = TestVersions.chain("old", 3);
    TestVersions.publish(connection, chain);

    assertThat(rollout("status", "--domain", "old").out().get(1))
        .matches("old +latest +3 +- +- +0 +- +- +-");
    assertThat(done("rollback", "--domain", "old"))
        .isEqualTo("old: stable 2, policy manual, revision 1");
  }

  @Test
  void historyTellsWhatServedAtAnyTime() throws Exception {
    Model model = new Model(new Random(7));
    List<Map.Entry<Long, String>> table = new ArrayList<>();
    List<AdapterVersion> chain = TestVersions.chain("timeline", CHANGES);
    while (table.size() < CHANGES) {
      long before = System.currentTimeMillis();
      String[] command = model.next();
      if (command.length == 0) {
        job.publish(chain.get((int) model.newest - 1));
      } else {
        assertThat(rollout(command).exitCode()).as("%s", List.of(command)).isZero();
      }
      long after = awaitTick();
      assertThat(after).isGreaterThan(before);
      table.add(Map.entry(after - 1, model.toString()));
    }
    for (Map.Entry<Long, String> row : table) {
      assertThat(at(Instant.ofEpochMilli(row.getKey()))).as("%s", row).isEqualTo(row.getValue());
    }

    // And to the millisecond.
    JsonNode history = json("history", "--domain", "timeline", "--json");
    assertThat(history).hasSize(CHANGES);
    for (int i : new int[] {1, CHANGES / 2, CHANGES - 1}) {
      Instant time = Instant.parse(history.get(i).path("time").asText());
      assertThat(at(time)).isEqualTo(table.get(i).getValue());
      assertThat(at(time.minusMillis(1))).isEqualTo(table.get(i - 1).getValue());
    }
    assertThat(at(Instant.parse("2020-01-01T00:00:00Z")))
        .isEqualTo("latest - - 0 revision 0 nobody");
  }

  /** Until the clock has moved on: what comes now has a later time than what came before. */
  private static long awaitTick() throws Exception {
    long now = System.currentTimeMillis();
    return Await.value("the clock ticks", System::currentTimeMillis, later -> later > now);
  }

  private static String at(Instant time) throws Exception {
    JsonNode json = json("history", "--domain", "timeline", "--at", time.toString(), "--json");
    JsonNode candidate = json.path("candidate");
    return "%s %s %s %s revision %d %s"
        .formatted(
            json.path("policy").asText(),
            json.path("stable").isNull() ? "-" : json.path("stable").path("version").asText(),
            candidate.isNull() ? "-" : candidate.path("version").asText(),
            candidate.isNull() ? "0" : json.path("share").asText(),
            json.path("revision").asLong(),
            json.path("decided").isNull()
                ? "nobody"
                : json.path("decided").path("author").asText());
  }

  /** Commands at random that all have an effect, and by the rules in the documentation, which. */
  private static final class Model {
    private final Random random;
    private String policy = "latest";
    private long newest;
    private long stable;
    private long candidate;
    private double share;
    private long revision;
    private String author = "nobody";

    Model(Random random) {
      this.random = random;
    }

    /** Empty for a version to publish. */
    String[] next() {
      while (true) {
        long version = newest == 0 ? 1 : 1 + random.nextInt((int) newest);
        switch (newest < 2 ? 0 : random.nextInt(7)) {
          case 0, 1:
            newest++;
            stable = policy.equals("latest") ? newest : stable;
            return new String[0];
          case 2:
            if (version == stable) {
              continue;
            }
            candidate = version;
            share = 0.25;
            policy = "canary";
            return by("canary", "--version", "" + version, "--share", "25%");
          case 3:
            if (policy.equals("pinned") || version == stable) {
              continue;
            }
            stable = version;
            candidate = 0;
            policy = policy.equals("latest") ? "manual" : policy;
            return by("promote", "--version", "" + version);
          case 4:
            if (version == stable && candidate == 0) {
              continue;
            }
            stable = version;
            candidate = 0;
            policy = policy.equals("latest") ? "manual" : policy;
            return by("rollback", "--version", "" + version);
          case 5:
            if (policy.equals("pinned") && version == stable) {
              continue;
            }
            stable = version;
            candidate = 0;
            policy = "pinned";
            return by("pin", "--version", "" + version);
          default:
            String other = List.of("latest", "canary", "manual").get(random.nextInt(3));
            if (other.equals(policy)) {
              continue;
            }
            policy = other;
            stable = other.equals("latest") ? newest : stable;
            candidate = other.equals("canary") ? candidate : 0;
            return by("policy", other);
        }
      }
    }

    private String[] by(String... command) {
      revision++;
      author = "author-" + revision;
      return Stream.concat(Stream.of(command), Stream.of("--domain", "timeline", "--by", author))
          .toArray(String[]::new);
    }

    @Override
    public String toString() {
      return "%s %s %s %s revision %d %s"
          .formatted(
              policy,
              stable == 0 ? "-" : "" + stable,
              candidate == 0 ? "-" : "" + candidate,
              candidate == 0 ? "0" : "" + share,
              revision,
              author);
    }
  }

  @Test
  void whatCannotBeIsOneLineAndChangesNothing() throws Exception {
    List<AdapterVersion> chain = publish("fuzz", 5);
    chain.forEach(job::publish);
    job.prune(chain.get(1));
    done("rollback", "--domain", "fuzz");
    JsonNode before = json("history", "--domain", "fuzz", "--json");

    assertMissing(
        "domain fuzz: there is no version 9: there are 4, from 1 to 5", "canary", "--version", "9");
    assertMissing("domain fuzz: there is no version 2 any more", "rollback", "--to", "2");
    assertMissing("domain fuzz: there is no version 2 any more", "promote", "--version", "2");
    assertMissing("domain fuzz: there is no version -3", "promote", "--version", "-3");
    assertMissing("domain fuzz: there is no version 0", "pin", "--version", "0");
    assertMistake("'9223372036854775808' is not a long", "pin", "--version", "9223372036854775808");
    assertMistake("domain fuzz: version 4 is the stable one already", "canary", "--version", "4");
    assertMistake("domain fuzz: version 4 is the stable one already", "rollback", "--to", "4");
    assertMistake(
        "--to is the former name of --version: give one of them",
        "rollback",
        "--version",
        "3",
        "--to",
        "2");
    for (String share :
        List.of(
            "200%",
            "0", "0%", "NaN", "-0.1", "1.0001", "Infinity", "1e999999999", "", "ten", "%")) {
      assertMistake(
          "\"%s\" is not above 0 and at most 1".formatted(share), "canary", "--share", share);
    }
    assertMistake("is not above 0 and at most 1", "policy", "canary", "--share", "200%");
    assertMistake(
        "there is no policy \"newest\"; there are latest, canary and manual", "policy", "newest");
    assertMistake("a policy pinned needs a version: use pin", "policy", "pinned");
    assertMistake("domain fuzz: the policy is manual already", "policy", "manual");
    assertMistake("Missing required parameter: 'POLICY'", "policy");
    assertMistake("--by: a name is needed", "rollback", "--by", " ");
    assertMistake(
        "--reason: 1001 characters are more than 1000", "rollback", "--reason", "x".repeat(1001));
    assertMistake("Missing required option: '--domain=D'", (Optional<String>) null, "rollback");
    assertMissing(
        "there is no domain \"fuz\\u001bz\"; there are ", Optional.of("fuz\u001bz"), "rollback");
    assertMissing("there is no domain \"\"; there are ", Optional.of(""), "status");
    assertMistake("--at: \"yesterday\" is no time such as", "history", "--at", "yesterday");
    assertMistake(
        "--at: 2999-01-01T00:00:00.000Z is yet to come", "history", "--at", "2999-01-01T00:00:00Z");
    assertMistake("--limit: 0 is less than 1", "history", "--limit", "0");
    assertMistake("Unmatched argument", (Optional<String>) null, "rolback");

    assertThat(json("history", "--domain", "fuzz", "--json")).isEqualTo(before);
  }

  @Test
  void whoDecidesOnAnOldRevisionIsTold() throws Exception {
    publish("stale", 3).forEach(job::publish);
    done("pin", "--domain", "stale", "--version", "2", "--by", "alice");

    for (String[] command :
        List.of(
            new String[] {"policy", "manual"},
            new String[] {"rollback"},
            new String[] {"canary", "--version", "1"})) {
      Said said =
          rollout(
              Stream.concat(Stream.of(command), Stream.of("--domain", "stale", "--revision", "0"))
                  .toArray(String[]::new));
      assertThat(said.exitCode()).isEqualTo(ExitCode.CONFLICT);
      assertThat(said.line())
          .isEqualTo(
              "millrace: nothing changed: revision 0 is not the current one; revision 1 is pin 2 by"
                  + " alice");
    }
    assertThat(json("history", "--domain", "stale", "--decisions", "--json")).hasSize(1);
  }

  /** Both have read the same revision before either appends. */
  @Test
  void ofAPromotionAndARollbackAtOnceOneWinsAndTheOtherIsTold() throws Exception {
    publish("race", 4).forEach(job::publish);
    done("policy", "manual", "--domain", "race");
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      for (int round = 0; round < 5; round++) {
        try (DomainRollout ann = DomainRollout.open(connection, "race", RecordSource.cache());
            DomainRollout bob = DomainRollout.open(connection, "race", RecordSource.cache())) {
          long stable = ann.history().now().stable().orElseThrow().getVersion();
          RolloutEvent promotion = ann.decisions("ann", "").promote(stable == 4 ? 3L : 4L);
          RolloutEvent rollback = bob.decisions("bob", "").rollback(1L + round % 2);
          CyclicBarrier start = new CyclicBarrier(2);
          Future<RolloutHistory.Entry> promoted =
              threads.submit(
                  () -> {
                    start.await();
                    return ann.append(promotion);
                  });
          Future<RolloutHistory.Entry> rolledBack =
              threads.submit(
                  () -> {
                    start.await();
                    return bob.append(rollback);
                  });
          boolean annWins = promoted.get().objection() == null;
          assertThat(rolledBack.get().objection() == null).isNotEqualTo(annWins);
          assertThat(promoted.get().offset() < rolledBack.get().offset()).isEqualTo(annWins);
          JsonNode status = json("status", "--domain", "race", "--json").get(0);
          assertThat(status.path("revision").asLong()).isEqualTo(round + 2);
          assertThat(status.path("stable").path("version").asLong())
              .isEqualTo((annWins ? promotion : rollback).getVersion().getVersion());
        }
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(rollout("history", "--domain", "race").out().stream())
        .filteredOn(line -> line.contains("none: it was made on top of revision"))
        .hasSize(5);
  }

  @Test
  void aRollbackDoesNotWaitForTheTransactionOfAKilledJob() throws Exception {
    List<AdapterVersion> chain = publish("killed", 4);
    chain.subList(0, 3).forEach(job::publish);
    try (TestJob killed = new TestJob(connection, "killed")) {
      killed.begin(chain.get(3));

      assertThat(done("rollback", "--domain", "killed", "--by", "ann"))
          .isEqualTo("killed: stable 2 (was 3), policy manual, revision 1");

      Said open = rollout("history", "--domain", "killed");
      assertThat(open.out()).hasSize(5);
      assertThat(open.out().get(4)).contains(" ann ", "rollback to 2", "stable 2 (was 3)");
      assertThat(rollout("history", "--domain", "killed", "--limit", "2").out()).hasSize(3);
      killed.end(true);
    }
    // The coordinator writes the markers of a commit after it has confirmed it.
    Await.until(
        "the publication has committed",
        () -> rollout("history", "--domain", "killed").out().size() == 6);
    List<String> told = rollout("history", "--domain", "killed").out();
    assertThat(told.get(4)).contains(" job ", "published 4");
    assertThat(
            json("status", "--domain", "killed", "--json")
                .get(0)
                .path("stable")
                .path("version")
                .asLong())
        .isEqualTo(2);
  }

  @Test
  void aTimeHasAZoneOrIsTheSystems() {
    Instant moment = Instant.parse("2026-11-22T09:00:00.250Z");

    assertThat(RolloutHistoryCommand.instant("2026-11-22T09:00:00.250Z")).isEqualTo(moment);
    assertThat(RolloutHistoryCommand.instant("2026-11-22T10:00:00.250+01:00")).isEqualTo(moment);
    assertThat(
            RolloutHistoryCommand.instant(
                LocalDateTime.ofInstant(moment, ZoneId.systemDefault()).toString()))
        .isEqualTo(moment);
    assertThat(RolloutHistoryCommand.instant("2026-11-22T09:00Z"))
        .isEqualTo(LocalDateTime.of(2026, 11, 22, 9, 0).toInstant(ZoneOffset.UTC));
  }

  @Test
  void aDirectoryThatNobodyHasRunningWillDo() {
    Path own = root.resolve("own");
    Settings defaults = Settings.of(EmbeddedStack.SETTINGS, null, List.of());
    try (EmbeddedStack other = EmbeddedStack.start(own, EmbeddedStack.Ports.FREE, defaults)) {
      Settings there = other.connect(Settings.of(Connection.SETTINGS, null, List.of()));
      try (TestJob job = new TestJob(new Connection(there), "job")) {
        publish("d", 2).forEach(job::publish);
      }
    }

    Said said = Said.run("rollout", "rollback", "--domain", "d", "--data", own.toString());

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.out()).containsExactly("d: stable 1 (was 2), policy manual, revision 1");
  }

  @Test
  void aKafkaThatIsAwayOrLacksTheTopicIsOneLine() throws Exception {
    try (EmbeddedKafka bare = EmbeddedKafka.start(root.resolve("bare"), 0);
        Admin admin = Admin.create(Map.of("bootstrap.servers", bare.bootstrapServers()))) {
      admin
          .createTopics(List.of(new NewTopic(Topics.ADAPTERS, Optional.of(1), Optional.empty())))
          .all()
          .get();
      String there = "kafka.bootstrap.servers=" + bare.bootstrapServers();
      for (String command : List.of("status", "rollback")) {
        Said said = Said.run("rollout", command, "--domain", "d", "--set", there);
        assertThat(said.exitCode()).isEqualTo(2);
        assertThat(said.line())
            .contains("there is no topic rollouts at ", "millrace topics makes what is missing");
      }
    }
    Said away =
        Said.run(
            "rollout",
            "rollback",
            "--domain",
            "d",
            "--set",
            "kafka.bootstrap.servers=127.0.0.1:1",
            "--set",
            "kafka.default.api.timeout.ms=500");
    assertThat(away.exitCode()).isEqualTo(1);
    assertThat(away.line()).contains("cannot read the topic rollouts at 127.0.0.1:1");
  }

  private static void assertMistake(String message, String... command) {
    assertMistake(message, Optional.of("fuzz"), command);
  }

  private static void assertMistake(String message, Optional<String> domain, String... command) {
    assertRefused(ExitCode.USAGE, message, domain, command);
  }

  private static void assertMissing(String message, String... command) {
    assertMissing(message, Optional.of("fuzz"), command);
  }

  private static void assertMissing(String message, Optional<String> domain, String... command) {
    assertRefused(ExitCode.NOT_FOUND, message, domain, command);
  }

  private static void assertRefused(
      int exitCode, String message, Optional<String> domain, String... command) {
    List<String> all = new ArrayList<>(List.of(command));
    if (domain != null) {
      all.addAll(List.of("--domain", domain.get()));
    }
    Said said = rollout(all.toArray(String[]::new));
    assertThat(said.exitCode()).as("%s", said).isEqualTo(exitCode);
    assertThat(said.line()).startsWith("millrace: ").contains(message);
    assertThat(said.out()).isEmpty();
  }

  /** A command that has to succeed, and its one line. */
  private static String done(String... command) {
    Said said = rollout(command);
    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.out()).hasSize(1);
    return said.out().get(0);
  }

  private static JsonNode json(String... command) throws Exception {
    Said said = rollout(command);
    assertThat(said.exitCode()).as("%s", said).isZero();
    return new ObjectMapper().readTree(said.text());
  }

  /** As a user of the running stack types it. */
  private static Said rollout(String... command) {
    List<String> all = new ArrayList<>(List.of("rollout"));
    all.addAll(List.of(command));
    for (String key : List.of("kafka.bootstrap.servers", "schema.registry.url")) {
      all.addAll(List.of("--set", key + "=" + settings.explicit().get(key)));
    }
    return Said.run(all.toArray(String[]::new));
  }
}
