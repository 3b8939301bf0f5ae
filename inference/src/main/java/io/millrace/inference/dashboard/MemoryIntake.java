package io.millrace.inference.dashboard;

import io.millrace.inference.log.TopicIntake;
import io.millrace.inference.store.StreamOffset;
import io.millrace.inference.store.TopicIdentity;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes records into memory: after a start it reads them again. */
abstract class MemoryIntake<T> implements TopicIntake<T> {
  private static final Logger LOG = LoggerFactory.getLogger(MemoryIntake.class);

  private final String topic;
  private final Class<T> type;
  private final Map<Integer, Long> read = new HashMap<>();

  /** The topic that what is held comes from; shared by the readers of one topic. */
  private final AtomicReference<TopicIdentity> held;

  private TopicIdentity own;

  MemoryIntake(String topic, Class<T> type, AtomicReference<TopicIdentity> held) {
    this.topic = topic;
    this.type = type;
    this.held = held;
  }

  @Override
  public final String topic() {
    return topic;
  }

  @Override
  public final Class<T> type() {
    return type;
  }

  @Override
  public final boolean holdsAnotherThan(TopicIdentity found) {
    return own != null && !own.equals(found);
  }

  @Override
  public final void begin(TopicIdentity found) {
    if (found.equals(own)) {
      return;
    }
    read.clear();
    own = found;
    TopicIdentity before = held.getAndSet(found);
    if (before != null && !before.equals(found)) {
      forget();
    }
  }

  /** Forgets what it took. */
  abstract void forget();

  @Override
  public final Map<Integer, Long> offsets() {
    return read;
  }

  /** A record was taken, or passed over. */
  final void read(StreamOffset after) {
    read.put(after.partition(), after.next());
  }

  @Override
  public void unreadable(String reason, StreamOffset after) {
    LOG.warn("skipped a record of {}, before {}: {}", topic, after, reason);
    read(after);
  }

  /** Each record takes effect at once. */
  @Override
  public final void flush() {}
}
