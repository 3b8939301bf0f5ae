package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.text.ShownText;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The version of a domain that was published last: the one that stands last in the topic {@code
 * adapters}, whichever job wrote it.
 *
 * <p>The topic has no index by domain. So the partition of a domain that is asked for is read from
 * its beginning once, and after that from where the last question left it, also where that one has
 * failed. Of what is read, places alone are kept, and no more than a given number of them.
 *
 * <p>Any thread may ask; one question is answered at a time.
 */
public final class NewestVersions implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NewestVersions.class);

  /** How long Kafka may give nothing. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /**
   * How long a question may take, and wait for others. The thread that asks takes no part in a
   * checkpoint meanwhile, and a job that commits nothing for four minutes restarts.
   */
  private static final Duration WAIT = Duration.ofSeconds(60);

  /** Payloads that are kept, as many new domains may ask for one version. */
  private static final long KEPT_BYTES = 16L << 20;

  /** How often a version may go away while it is looked up. */
  private static final int TRIES = 3;

  private record Place(long version, long offset) {}

  private record Kept(Place place, AdapterVersion version) {
    long bytes() {
      return version.getPayload().remaining();
    }
  }

  private final Connection connection;
  private final Deserializer<AdapterVersion> reader;
  private final int most;
  private final Duration wait;
  private final ReentrantLock lock = new ReentrantLock();

  /** Null while not connected. */
  private KafkaConsumer<byte[], byte[]> consumer;

  private int partitions;

  /** Which topic the places are of: one that was made again has another id. */
  private Uuid topic;

  /** Per partition, the first offset that is not read. */
  private final Map<TopicPartition, Long> next = new HashMap<>();

  /** The domain that was published or asked for longest ago stands first. */
  private final Map<String, Place> places = new LinkedHashMap<>(16, 0.75f, true);

  private final Map<String, Kept> kept = new LinkedHashMap<>(16, 0.75f, true);
  private long keptBytes;
  private boolean dropped;

  /**
   * Connects with the first question.
   *
   * @param most domains whose places are kept
   */
  public NewestVersions(Connection connection, int most) {
    this(connection, most, WAIT);
  }

  NewestVersions(Connection connection, int most, Duration wait) {
    this.connection = connection;
    this.most = most;
    this.wait = wait;
    reader = connection.deserializer(AdapterVersion.class);
  }

  /**
   * The version of a domain that was published last, of those that are committed now.
   *
   * @return empty where there is none, or where it is not among the places that are kept
   * @throws KafkaException where Kafka or the registry does not answer now, where reading takes too
   *     long, and where the record cannot be read: see {@link Connection#deserializer}
   */
  public Optional<AdapterVersion> of(String domain) {
    long end = System.nanoTime() + wait.toNanos();
    try {
      if (!lock.tryLock(wait.toNanos(), TimeUnit.NANOSECONDS)) {
        throw new TimeoutException(
            "others have asked for versions for %d s".formatted(wait.toSeconds()));
      }
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
    try {
      connect();
      return find(domain, end);
    } catch (UnreadableRecordException | RegistryUnavailableException e) {
      throw e;
    } catch (KafkaException e) {
      // What the consumer has begun is not known. What was read is.
      disconnect();
      throw e;
    } finally {
      lock.unlock();
    }
  }

  private void connect() {
    if (consumer != null) {
      return;
    }
    TopicDescription described = describe();
    if (!described.topicId().equals(topic)) {
      topic = described.topicId();
      next.clear();
      places.clear();
      kept.clear();
      keptBytes = 0;
    }
    partitions = described.partitions().size();
    consumer = CommittedTopic.consumer(connection, "earliest");
  }

  private TopicDescription describe() {
    Properties properties = new Properties();
    properties.put(
        AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, Math.toIntExact(PATIENCE.toMillis()));
    properties.putAll(connection.properties());
    try (Admin admin = Admin.create(properties)) {
      return admin
          .describeTopics(List.of(Topics.ADAPTERS))
          .allTopicNames()
          .get()
          .get(Topics.ADAPTERS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof KafkaException failure
          ? failure
          : new KafkaException(e.getCause());
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  private void disconnect() {
    if (consumer != null) {
      consumer.close();
      consumer = null;
    }
  }

  private Optional<AdapterVersion> find(String domain, long end) {
    TopicPartition partition =
        new TopicPartition(Topics.ADAPTERS, DomainPartition.of(domain, partitions));
    for (int i = 0; i < TRIES; i++) {
      readOn(partition, end);
      Place place = places.get(domain);
      if (place == null) {
        return Optional.empty();
      }
      Kept before = kept.get(domain);
      if (before != null && before.place().equals(place)) {
        return Optional.of(before.version());
      }
      Optional<ConsumerRecord<byte[], byte[]>> record = at(partition, domain, place);
      if (record.isPresent()) {
        AdapterVersion version = read(domain, place, record.get());
        keep(domain, new Kept(place, version));
        return Optional.of(version);
      }
      // Compacted away since, or deleted: what stands there now is to be found out.
      lookThrough(partition, domain);
    }
    throw new TimeoutException(
        "the version of %s that was published last went away %d times while it was read"
            .formatted(domain, TRIES));
  }

  private AdapterVersion read(String domain, Place place, ConsumerRecord<byte[], byte[]> record) {
    AdapterVersion version = reader.deserialize(Topics.ADAPTERS, record.value());
    if (!version.getDomain().equals(domain) || version.getVersion() != place.version()) {
      throw new UnreadableRecordException(
          "%s-%d at offset %d has the key %s@%d and holds %s@%d"
              .formatted(
                  record.topic(),
                  record.partition(),
                  record.offset(),
                  domain,
                  place.version(),
                  version.getDomain(),
                  version.getVersion()));
    }
    return version;
  }

  /** Notes what the partition has got since it was read. */
  private void readOn(TopicPartition partition, long end) {
    consumer.assign(List.of(partition));
    consumer.seek(partition, next.getOrDefault(partition, 0L));
    boolean tooLong =
        CommittedTopic.readToEnd(
            consumer,
            List.of(partition),
            PATIENCE,
            record -> {
              note(record);
              next.put(partition, record.offset() + 1);
              return System.nanoTime() - end > 0;
            });
    if (tooLong) {
      throw new TimeoutException(
          "%s was read up to offset %d in %d s; the next attempt goes on there"
              .formatted(partition, next.get(partition), wait.toSeconds()));
    }
    next.put(partition, consumer.position(partition));
  }

  private void note(ConsumerRecord<byte[], byte[]> record) {
    Optional<String> named = domain(record);
    if (named.isEmpty()) {
      return;
    }
    String domain = named.get();
    long version = Topics.versionOfAdapterKey(record.key());
    if (record.value() != null) {
      put(domain, new Place(version, record.offset()));
    } else if (places.containsKey(domain) && places.get(domain).version() == version) {
      // The last one is deleted. Which one stood before it, this does not say.
      put(domain, new Place(version, record.offset()));
    }
  }

  private void put(String domain, Place place) {
    places.put(domain, place);
    if (places.size() > most) {
      Iterator<String> eldest = places.keySet().iterator();
      String gone = eldest.next();
      eldest.remove();
      if (!dropped) {
        dropped = true;
        LOG.warn(
            "More than {} domains have versions: new domains do not find those that were published or asked for longest ago, the first {}. training.parentDomains keeps more",
            most,
            ShownText.of(gone));
      }
    }
  }

  /** Empty where the key is no {@code domain@version}. */
  private static Optional<String> domain(ConsumerRecord<byte[], byte[]> record) {
    try {
      Topics.versionOfAdapterKey(record.key());
      return Optional.of(Topics.domainOfAdapterKey(record.key()));
    } catch (IllegalArgumentException | NullPointerException e) {
      return Optional.empty();
    }
  }

  /** Looks through the whole partition for the versions of one domain that stand there. */
  private void lookThrough(TopicPartition partition, String domain) {
    Map<Long, Place> standing = new HashMap<>();
    TreeMap<Long, Place> inOrder = new TreeMap<>();
    consumer.assign(List.of(partition));
    consumer.seek(partition, 0);
    CommittedTopic.readToEnd(
        consumer,
        List.of(partition),
        PATIENCE,
        record -> {
          if (domain(record).filter(domain::equals).isPresent()) {
            long version = Topics.versionOfAdapterKey(record.key());
            Place before = standing.remove(version);
            if (before != null) {
              inOrder.remove(before.offset());
            }
            if (record.value() != null) {
              Place place = new Place(version, record.offset());
              standing.put(version, place);
              inOrder.put(place.offset(), place);
            }
          }
          return false;
        });
    places.remove(domain);
    if (!inOrder.isEmpty()) {
      put(domain, inOrder.lastEntry().getValue());
    }
  }

  /** The record of a version at its place; empty where it does not stand there any more. */
  private Optional<ConsumerRecord<byte[], byte[]>> at(
      TopicPartition partition, String domain, Place place) {
    consumer.assign(List.of(partition));
    consumer.seek(partition, place.offset());
    Map<Long, ConsumerRecord<byte[], byte[]>> found = new HashMap<>();
    CommittedTopic.readToEnd(
        consumer,
        List.of(partition),
        PATIENCE,
        record -> {
          found.put(record.offset(), record);
          return true;
        });
    byte[] key = Topics.adapterKey(domain, place.version());
    return Optional.ofNullable(found.get(place.offset()))
        .filter(record -> record.value() != null && Arrays.equals(record.key(), key));
  }

  private void keep(String domain, Kept version) {
    Kept before = kept.put(domain, version);
    keptBytes += version.bytes() - (before == null ? 0 : before.bytes());
    Iterator<Kept> eldest = kept.values().iterator();
    while (keptBytes > KEPT_BYTES && kept.size() > 1) {
      keptBytes -= eldest.next().bytes();
      eldest.remove();
    }
  }

  /** Disconnects. The next question connects again, and reads on. */
  @Override
  public void close() {
    lock.lock();
    try {
      disconnect();
    } finally {
      lock.unlock();
    }
  }
}
