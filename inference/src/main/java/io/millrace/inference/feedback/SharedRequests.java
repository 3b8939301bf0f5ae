package io.millrace.inference.feedback;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.schemas.Topics;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the serving processes of one Kafka tell one another about served requests, in the topic
 * {@code served-requests}: each request, who will write its example, and the example. Every process
 * reads the topic into its {@link ServedRequests}.
 *
 * <p>The order of a request's records is the same for all, so all agree on whose claim was first.
 * Records have the hash of the request's id as their key and are JSON: the schema registry need not
 * answer for a prediction.
 *
 * <p>Without the topic each process knows its own requests alone.
 */
final class SharedRequests implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SharedRequests.class);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration POLL = Duration.ofMillis(200);
  private static final Duration ANSWER = Duration.ofSeconds(5);
  private static final Duration READ_BACK = Duration.ofSeconds(8);
  private static final Duration PAUSE = Duration.ofSeconds(1);
  private static final Duration PARTITIONS_HOLD = Duration.ofSeconds(30);

  /** Records that wait to be sent; of more, requests are left out. Each may hold a text. */
  private static final int MAX_WAITING = 256;

  private final Connection connection;
  private final ServedRequests requests;
  private final Duration window;
  private final String process;
  private final Map<String, CompletableFuture<Boolean>> awaited = new ConcurrentHashMap<>();
  private final ThreadPoolExecutor sending;
  private final Thread following;
  private final CountDownLatch closed = new CountDownLatch(1);

  // Confined to the thread of sending.
  private KafkaProducer<byte[], byte[]> producer;

  private volatile KafkaConsumer<byte[], byte[]> consumer;
  private volatile boolean missing;
  private volatile boolean warned;

  /**
   * Begins to read.
   *
   * @param window how long requests are remembered
   */
  SharedRequests(Connection connection, ServedRequests requests, Duration window) {
    this.connection = connection;
    this.requests = requests;
    this.window = window;
    this.process = requests.process();
    this.sending =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MAX_WAITING),
            work -> daemon(work, "feedback-share"));
    this.following = daemon(this::follow, "feedback-follow");
    following.start();
  }

  private static Thread daemon(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    return thread;
  }

  /** False where the topic is known to be missing. */
  boolean available() {
    return !missing;
  }

  /** Names this process in claims. */
  String process() {
    return process;
  }

  /** Tells the others of a request that was answered here, later. */
  void served(String requestId, ServedRequest request) {
    if (missing) {
      return;
    }
    try {
      sending.execute(
          () -> send(ServedRequests.id(requestId), "served", ServedRequests.node(request)));
    } catch (RejectedExecutionException e) {
      warnOnce(
          "requests are answered faster than they can be shared: feedback on some must go to"
              + " the process that answered",
          null);
    }
  }

  /**
   * Claims a request's example, and waits for the claim to come back from the topic.
   *
   * @param after the attempt that it follows; null for the first
   * @return completes with whether the request has this claim
   */
  CompletableFuture<Boolean> claim(
      String requestId, ServedRequest request, ServedRequest.Claim claim, String after) {
    byte[] id = ServedRequests.id(requestId);
    if (missing) {
      return CompletableFuture.completedFuture(requests.claim(id, request.asked(), claim, after));
    }
    CompletableFuture<Boolean> back = new CompletableFuture<>();
    awaited.put(claim.attempt(), back);
    ObjectNode record =
        ServedRequests.json(claim).put("after", after).put("asked", request.asked());
    try {
      sending.execute(() -> send(id, "claim", record));
    } catch (RejectedExecutionException e) {
      back.completeExceptionally(e);
    }
    return back.orTimeout(READ_BACK.toMillis(), TimeUnit.MILLISECONDS)
        .whenComplete((won, failure) -> awaited.remove(claim.attempt()));
  }

  /** Tells the others of an example. */
  void made(String requestId, ServedRequest request, ServedRequest.Example example) {
    if (missing) {
      return;
    }
    try {
      sending.execute(
          () ->
              send(
                  ServedRequests.id(requestId),
                  "made",
                  ServedRequests.json(example).put("asked", request.asked())));
    } catch (RejectedExecutionException e) {
      // Who asks another process finds the example by reading back.
      LOG.debug("an example is not shared", e);
    }
  }

  private void send(byte[] id, String kind, ObjectNode record) {
    try {
      if (producer == null) {
        producer = producer();
      }
      byte[] value = JSON.writeValueAsBytes(record.put("kind", kind));
      producer.send(
          new ProducerRecord<>(Topics.SERVED_REQUESTS, id, value),
          (metadata, failure) -> {
            if (failure != null && closed.getCount() > 0) {
              warnOnce("a request is not shared with the other serving processes", failure);
            }
          });
    } catch (IOException | RuntimeException e) {
      warnOnce("a request is not shared with the other serving processes", e);
    }
  }

  private void warnOnce(String what, Exception failure) {
    if (!warned) {
      warned = true;
      LOG.warn(what, failure);
    }
  }

  private KafkaProducer<byte[], byte[]> producer() {
    Properties properties = connection.properties();
    properties.putIfAbsent(ProducerConfig.CLIENT_ID_CONFIG, "millrace-serve");
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    properties.put(ProducerConfig.LINGER_MS_CONFIG, 5);
    properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, (int) PAUSE.toMillis());
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private void follow() {
    boolean waiting = false;
    while (closed.getCount() > 0) {
      try (KafkaConsumer<byte[], byte[]> opened = consumer()) {
        consumer = opened;
        waiting = read(opened, waiting);
      } catch (WakeupException e) {
        LOG.debug("closing", e);
      } catch (RuntimeException e) {
        if (closed.getCount() > 0 && !waiting) {
          waiting = true;
          LOG.warn("the served requests of other processes cannot be read", e);
        }
      }
      pause();
    }
  }

  private void pause() {
    try {
      closed.await(PAUSE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private KafkaConsumer<byte[], byte[]> consumer() {
    Properties properties = connection.properties();
    properties.putIfAbsent(ConsumerConfig.CLIENT_ID_CONFIG, "millrace-serve");
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    return new KafkaConsumer<>(
        properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /** Reads until the partitions change. */
  private boolean read(KafkaConsumer<byte[], byte[]> opened, boolean waiting) {
    List<TopicPartition> partitions = partitions(opened);
    missing = partitions.isEmpty();
    if (missing) {
      if (!waiting) {
        LOG.warn(
            "there is no topic {}: feedback must go to the process that answered; millrace topics"
                + " makes it",
            Topics.SERVED_REQUESTS);
      }
      return true;
    }
    opened.assign(partitions);
    Map<TopicPartition, Long> times = new HashMap<>();
    long from = Instant.now().minus(window).toEpochMilli();
    partitions.forEach(partition -> times.put(partition, from));
    Map<TopicPartition, OffsetAndTimestamp> starts = opened.offsetsForTimes(times, ANSWER);
    Map<TopicPartition, Long> ends = opened.endOffsets(partitions, ANSWER);
    partitions.forEach(
        partition -> {
          OffsetAndTimestamp start = starts.get(partition);
          opened.seek(partition, start == null ? ends.get(partition) : start.offset());
        });
    long checked = System.nanoTime();
    while (closed.getCount() > 0) {
      for (ConsumerRecord<byte[], byte[]> record : opened.poll(POLL)) {
        apply(record);
      }
      if (System.nanoTime() - checked > PARTITIONS_HOLD.toNanos()) {
        checked = System.nanoTime();
        if (partitions(opened).size() != partitions.size()) {
          return false;
        }
      }
    }
    return false;
  }

  private static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> opened) {
    List<PartitionInfo> found = opened.partitionsFor(Topics.SERVED_REQUESTS, ANSWER);
    return found == null
        ? List.of()
        : found.stream()
            .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
            .toList();
  }

  private void apply(ConsumerRecord<byte[], byte[]> record) {
    try {
      JsonNode node = JSON.readTree(record.value());
      switch (node.path("kind").asText()) {
        case "served" -> requests.learn(record.key(), ServedRequests.request(node));
        case "made" ->
            requests.made(record.key(), node.path("asked").asText(), ServedRequests.example(node));
        case "claim" -> {
          ServedRequest.Claim claim = ServedRequests.claim(node);
          boolean won =
              requests.claim(
                  record.key(), node.path("asked").asText(), claim, node.path("after").textValue());
          CompletableFuture<Boolean> mine = awaited.get(claim.attempt());
          if (mine != null) {
            mine.complete(won);
          }
        }
        default -> LOG.debug("a record of a later release at {}", record.offset());
      }
    } catch (IOException | RuntimeException e) {
      LOG.warn("{}-{}@{} cannot be read", record.topic(), record.partition(), record.offset(), e);
    }
  }

  /** Ends both threads. What was not sent is not shared. */
  @Override
  public void close() {
    closed.countDown();
    sending.shutdownNow();
    KafkaConsumer<byte[], byte[]> opened = consumer;
    if (opened != null) {
      opened.wakeup();
    }
    try {
      following.join(ANSWER.toMillis());
      if (sending.awaitTermination(ANSWER.toMillis(), TimeUnit.MILLISECONDS) && producer != null) {
        producer.close(Duration.ZERO);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
