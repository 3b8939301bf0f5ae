package io.millrace.pipeline.mlflow;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.mlflow.MlflowException.Kind;
import io.millrace.pipeline.records.FoldedRollouts;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.text.ShownText;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Follows {@code adapters} and {@code rollouts}, and shows them in a model registry of MLflow: a
 * registered model for each domain, a version for each version, and the aliases {@code stable} and
 * {@code candidate} for what the rollout names.
 *
 * <p>It is sure of a version at least once: how far it came in {@code adapters} is kept as a
 * group's offset after MLflow has the version, and a version that MLflow has already, by its tags,
 * is not made again. While MLflow does not answer it waits and reads no further, so nothing piles
 * up. What MLflow refuses is said and left out.
 */
public final class MlflowMirror implements AutoCloseable {
  private static final Duration POLL = Duration.ofMillis(500);
  private static final Duration KAFKA_PATIENCE = Duration.ofSeconds(15);
  private static final Duration FIRST_WAIT = Duration.ofSeconds(1);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(60);

  private static final String DOMAIN = "millrace.domain";
  private static final String VERSION = "millrace.version";
  private static final String SHA256 = "millrace.sha256";
  private static final String PRUNED = "millrace.pruned";
  private static final String STABLE = "stable";
  private static final String CANDIDATE = "candidate";

  /** MLflow's numbers of the versions that were mirrored last; the others are asked for. */
  private static final int NUMBERS_KEPT = 10_000;

  /** What was done since the start. */
  public record Totals(long versions, long aliases, long refused) {}

  /** A step that MLflow has to take. */
  private interface Call<T> {
    T make() throws MlflowException;
  }

  private final MlflowRegistry registry;
  private final String prefix;
  private final Future<?> stop;
  private final Consumer<String> say;
  private final KafkaConsumer<byte[], byte[]> adapters;
  private final List<TopicPartition> partitions;
  private final Deserializer<AdapterVersion> reader;
  private final FoldedRollouts rollouts;

  /** Domains whose aliases may not be those of their rollout. */
  private final Set<String> due = new TreeSet<>();

  private final Map<String, Map<String, VersionRef>> aliases = new HashMap<>();
  private final Set<String> models = new TreeSet<>();
  private final Map<String, String> numbers =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, String> eldest) {
          return size() > NUMBERS_KEPT;
        }
      };

  private long mirrored;
  private long pointed;
  private long refused;

  /**
   * Connects to Kafka.
   *
   * @param uri of MLflow's tracking server
   * @param authorization value of the header; empty for none
   * @param prefix of the names of models
   * @param group keeps how far the mirror came
   * @param stop done when the mirror is to end
   * @param say receives a line for each thing that is done or awaited
   * @throws UsageException where a topic is missing
   * @throws IllegalStateException where Kafka does not answer
   */
  public MlflowMirror(
      Connection connection,
      URI uri,
      Optional<String> authorization,
      String prefix,
      String group,
      Future<?> stop,
      Consumer<String> say) {
    this.registry = new MlflowRegistry(uri, authorization);
    this.prefix = prefix;
    this.stop = stop;
    this.say = say;
    this.reader = connection.deserializer(AdapterVersion.class);
    this.rollouts = new FoldedRollouts(connection);
    try {
      this.adapters = consumer(connection, group);
    } catch (RuntimeException e) {
      rollouts.close();
      throw e;
    }
    try {
      this.partitions =
          adapters.partitionsFor(Topics.ADAPTERS).stream()
              .map(each -> new TopicPartition(Topics.ADAPTERS, each.partition()))
              .toList();
      adapters.assign(partitions);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private static KafkaConsumer<byte[], byte[]> consumer(Connection connection, String group) {
    Properties properties = new Properties();
    properties.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, (int) KAFKA_PATIENCE.toMillis());
    properties.putAll(connection.properties());
    properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
    return new KafkaConsumer<>(
        properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /**
   * Mirrors until it is stopped.
   *
   * @param once ends at the state of both topics at the start
   * @return what was done
   * @throws UsageException where MLflow does not let it in
   * @throws IllegalStateException where Kafka does not answer
   */
  public Totals run(boolean once) throws InterruptedException {
    patiently("the registry", this::check);
    Map<TopicPartition, Long> ends = once ? adapters.endOffsets(partitions) : Map.of();
    while (!stop.isDone()) {
      readVersions();
      due.addAll(rollouts.readOn());
      point();
      if (once && reached(ends)) {
        break;
      }
    }
    return new Totals(mirrored, pointed, refused);
  }

  /** A wrong address must not look like an MLflow that refuses every version. */
  private boolean check() throws MlflowException {
    try {
      registry.check();
      return true;
    } catch (MlflowException e) {
      if (e.kind() == Kind.REFUSED) {
        throw new UsageException("there is no model registry of MLflow: " + e.getMessage());
      }
      throw e;
    }
  }

  private boolean reached(Map<TopicPartition, Long> ends) {
    return ends.entrySet().stream()
        .allMatch(each -> adapters.position(each.getKey()) >= each.getValue());
  }

  private void readVersions() throws InterruptedException {
    try {
      for (ConsumerRecord<byte[], byte[]> record : adapters.poll(POLL)) {
        mirror(record);
        if (stop.isDone()) {
          // What was not mirrored of this poll is read again by the next process.
          commit(record, record.offset());
          return;
        }
        commit(record, record.offset() + 1);
      }
    } catch (KafkaException e) {
      throw new IllegalStateException("cannot read the topic " + Topics.ADAPTERS, e);
    }
  }

  private void commit(ConsumerRecord<byte[], byte[]> record, long next) {
    adapters.commitSync(
        Map.of(
            new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(next)));
  }

  private void mirror(ConsumerRecord<byte[], byte[]> record) throws InterruptedException {
    if (record.value() == null) {
      String domain;
      long version;
      try {
        domain = Topics.domainOfAdapterKey(record.key());
        version = Topics.versionOfAdapterKey(record.key());
      } catch (IllegalArgumentException e) {
        leaveOut(e.getMessage());
        return;
      }
      pruned(domain, version);
      return;
    }
    AdapterVersion version;
    try {
      version = reader.deserialize(record.topic(), record.value());
    } catch (UnreadableRecordException e) {
      leaveOut(e.getMessage());
      return;
    }
    String domain = version.getDomain();
    String what = "%s@%d".formatted(ShownText.of(domain), version.getVersion());
    patiently(
            what,
            () -> {
              String model = model(domain);
              Optional<String> there = registry.findVersion(model, SHA256, version.getSha256());
              if (there.isEmpty()) {
                String made =
                    registry.createVersion(
                        model,
                        "millrace:/%s/%s".formatted(model, version.getSha256()),
                        "Version %d of the domain %s".formatted(version.getVersion(), domain),
                        tags(version));
                mirrored++;
                say.accept("%s is version %s of %s".formatted(what, made, model));
                return made;
              }
              return there.get();
            })
        .ifPresent(number -> numbers.put(version.getSha256(), number));
    due.add(domain);
  }

  /** A record of which nothing can be shown. */
  private void leaveOut(String why) {
    say.accept("left out: " + ShownText.of(why));
    refused++;
  }

  private void pruned(String domain, long version) throws InterruptedException {
    String what = "%s@%d".formatted(ShownText.of(domain), version);
    patiently(
        what,
        () -> {
          String model = model(domain);
          Optional<String> number = registry.findVersion(model, VERSION, Long.toString(version));
          if (number.isPresent()) {
            registry.tagVersion(model, number.get(), PRUNED, "true");
          }
          return number;
        });
  }

  private String model(String domain) throws MlflowException {
    String model = MlflowNames.model(prefix, domain);
    if (!models.contains(model)) {
      registry.createModel(model, Map.of(DOMAIN, domain));
      models.add(model);
    }
    return model;
  }

  private static Map<String, String> tags(AdapterVersion version) {
    Map<String, String> tags = new LinkedHashMap<>();
    tags.put(DOMAIN, version.getDomain());
    tags.put(VERSION, Long.toString(version.getVersion()));
    tags.put(SHA256, version.getSha256());
    if (version.getParentSha256() != null) {
      tags.put("millrace.parentSha256", version.getParentSha256());
    }
    tags.put("millrace.baseModel", version.getBaseModel());
    tags.put("millrace.baseSha256", version.getBaseSha256());
    tags.put("millrace.method", version.getMethod());
    if (!version.getPattern().isEmpty()) {
      tags.put("millrace.pattern", version.getPattern());
    }
    tags.put("millrace.steps", Long.toString(version.getSteps()));
    tags.put("millrace.examples", Long.toString(version.getExamples()));
    tags.put("millrace.createdAt", version.getCreatedAt().toString());
    return tags;
  }

  /** Points the aliases of the domains that are due. */
  private void point() throws InterruptedException {
    for (Iterator<String> each = due.iterator(); each.hasNext() && !stop.isDone(); ) {
      String domain = each.next();
      Rollout now = rollouts.of(domain);
      Map<String, VersionRef> wanted = new HashMap<>();
      now.stable().ifPresent(version -> wanted.put(STABLE, version));
      Optional.ofNullable(now.candidate()).ifPresent(version -> wanted.put(CANDIDATE, version));
      point(domain, wanted);
      each.remove();
    }
  }

  /** Points a domain's aliases. Where MLflow does not have a version yet, it is due once it has. */
  private void point(String domain, Map<String, VersionRef> wanted) throws InterruptedException {
    Map<String, VersionRef> known = aliases.computeIfAbsent(domain, key -> new HashMap<>());
    for (String alias : List.of(STABLE, CANDIDATE)) {
      VersionRef version = wanted.get(alias);
      // One that an earlier process has set is not known here.
      if (known.containsKey(alias) && Objects.equals(known.get(alias), version)) {
        continue;
      }
      String what = "the alias %s of %s".formatted(alias, ShownText.of(domain));
      if (patiently(what, () -> point(domain, alias, version)).orElse(false)) {
        known.put(alias, version);
      }
    }
  }

  private boolean point(String domain, String alias, VersionRef version) throws MlflowException {
    String model = model(domain);
    if (version == null) {
      registry.deleteAlias(model, alias);
      return true;
    }
    String number = numbers.get(version.getSha256());
    if (number == null) {
      Optional<String> found = registry.findVersion(model, SHA256, version.getSha256());
      if (found.isEmpty()) {
        return false;
      }
      number = found.get();
      numbers.put(version.getSha256(), number);
    }
    registry.setAlias(model, alias, number);
    pointed++;
    say.accept(
        "%s of %s is version %d".formatted(alias, ShownText.of(domain), version.getVersion()));
    return true;
  }

  /**
   * Makes a call until MLflow has answered it, or the mirror is stopped.
   *
   * @return empty where MLflow refuses it, or the mirror is stopped
   */
  private <T> Optional<T> patiently(String what, Call<T> call) throws InterruptedException {
    Duration wait = FIRST_WAIT;
    while (!stop.isDone()) {
      try {
        return Optional.of(call.make());
      } catch (MlflowException e) {
        if (Thread.currentThread().isInterrupted()) {
          throw new InterruptedException();
        }
        if (e.kind() == Kind.NOT_ALLOWED) {
          throw new UsageException("MLflow does not let the mirror in: " + e.getMessage());
        }
        if (e.kind() == Kind.REFUSED) {
          refused++;
          say.accept(
              "%s is left out, MLflow refuses it: %s"
                  .formatted(what, ShownText.of(e.getMessage())));
          return Optional.empty();
        }
        say.accept(
            "MLflow: %s; trying again in %d s"
                .formatted(ShownText.of(e.getMessage()), wait.toSeconds()));
        pause(wait);
        wait =
            wait.multipliedBy(2).compareTo(LONGEST_WAIT) < 0 ? wait.multipliedBy(2) : LONGEST_WAIT;
      }
    }
    return Optional.empty();
  }

  private void pause(Duration wait) throws InterruptedException {
    try {
      stop.get(wait.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException e) {
      // It is not stopped.
    }
  }

  @Override
  public void close() {
    rollouts.close();
    adapters.close(Duration.ZERO);
  }
}
