package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.text.ShownText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes progress to Kafka for as long as Kafka takes it. Flink's own sink fails the job where a
 * record cannot be written; training must not end because nobody can watch it, for example where
 * the topic was deleted or the job may not write to it. So what cannot be written is left out, and
 * after a failure nothing is tried for a while.
 *
 * @param patience how long Kafka may take to say where the topic is, and then to take a record; so
 *     long a record may wait in memory, and a checkpoint for it
 * @param pause from a failure to the next try
 */
record ProgressSink(Connection connection, Duration patience, Duration pause)
    implements Sink<OutgoingRecord> {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(ProgressSink.class);

  /** Much longer than a try may take, which may hold training up. */
  static final Duration PAUSE = Duration.ofMinutes(1);

  static final Duration PATIENCE = Duration.ofSeconds(15);

  /** The records of some steps leave together. */
  private static final int LINGER_MILLIS = 100;

  private static final Duration CLOSE = Duration.ofSeconds(5);

  @Override
  public SinkWriter<OutgoingRecord> createWriter(WriterInitContext context) {
    return writer();
  }

  Writer writer() {
    return new Writer(connection, patience, pause);
  }

  /** For the task's thread. */
  static final class Writer implements SinkWriter<OutgoingRecord> {
    private final Connection connection;
    private final int patienceMillis;
    private final long pauseNanos;
    private final Serializer<Object> serializer;
    private KafkaProducer<byte[], byte[]> producer;

    /** What Kafka said last, on the producer's thread; null where it has taken all. */
    private volatile Exception refusal;

    /** Whether nothing is tried until {@link #retryAt}. */
    private boolean paused;

    private long retryAt;

    Writer(Connection connection, Duration patience, Duration pause) {
      this.connection = connection;
      this.patienceMillis = (int) patience.toMillis();
      this.pauseNanos = pause.toNanos();
      this.serializer = connection.serializer();
    }

    @Override
    public void write(OutgoingRecord record, Context context) {
      if (refusal != null) {
        rest(refusal);
      }
      if (paused && System.nanoTime() - retryAt < 0) {
        return;
      }
      paused = false;
      try {
        byte[] value = serializer.serialize(record.getTopic(), record.getValue());
        if (producer == null) {
          producer =
              new KafkaProducer<>(
                  properties(), new ByteArraySerializer(), new ByteArraySerializer());
        }
        producer.send(
            new ProducerRecord<>(record.getTopic(), bytes(record.getKey()), value),
            (written, failure) -> {
              if (failure != null) {
                refusal = failure;
              }
            });
      } catch (RuntimeException e) {
        if (Thread.currentThread().isInterrupted()) {
          throw e;
        }
        rest(e);
      }
    }

    /** The next try has a producer of its own: this one may never recover. */
    private void rest(Exception why) {
      LOG.warn(
          "progress cannot be written, and is left out for {} s; training goes on: {}",
          TimeUnit.NANOSECONDS.toSeconds(pauseNanos),
          ShownText.of(String.valueOf(why.getMessage())));
      if (producer != null) {
        producer.close(Duration.ZERO);
        producer = null;
      }
      // Only now: what the producer gave up when it was closed is no failure of the next one.
      refusal = null;
      paused = true;
      retryAt = System.nanoTime() + pauseNanos;
    }

    private Properties properties() {
      Properties properties = connection.properties();
      properties.put(ProducerConfig.ACKS_CONFIG, "all");
      properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
      properties.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "gzip");
      properties.put(ProducerConfig.LINGER_MS_CONFIG, LINGER_MILLIS);
      properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, patienceMillis);
      properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, patienceMillis / 2);
      properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, patienceMillis);
      return properties;
    }

    /** What was reported before a checkpoint is there when the job stops with it. */
    @Override
    public void flush(boolean endOfInput) {
      if (producer != null && refusal == null) {
        producer.flush();
      }
    }

    @Override
    public void close() throws IOException {
      if (producer != null) {
        producer.close(refusal == null ? CLOSE : Duration.ZERO);
      }
      serializer.close();
    }

    private static byte[] bytes(ByteBuffer buffer) {
      byte[] bytes = new byte[buffer.remaining()];
      buffer.duplicate().get(bytes);
      return bytes;
    }
  }
}
