package io.millrace.schemas;

import java.nio.charset.StandardCharsets;

/** Names of the topics, and the keys and headers of their records. */
public final class Topics {
  /** {@link LabeledExample}, keyed by domain. */
  public static final String LABELED_EXAMPLES = "labeled-examples";

  /** {@link AdapterVersion}, keyed by {@link #adapterKey}, partitioned by domain, compacted. */
  public static final String ADAPTERS = "adapters";

  /** {@link TrainingStep}, keyed by domain. */
  public static final String TRAINING_STEPS = "training-steps";

  /** {@link TrainingSnapshot}, keyed by {@link #adapterKey}, partitioned by domain. */
  public static final String TRAINING_SNAPSHOTS = "training-snapshots";

  /** {@link RolloutEvent}, keyed by domain; kept without limit. */
  public static final String ROLLOUTS = "rollouts";

  /**
   * {@link DomainProgress}, keyed by domain; written at once and in no transaction, kept for a
   * week.
   */
  public static final String TRAINING_PROGRESS = "training-progress";

  /**
   * What serving processes tell one another about served requests, as JSON, keyed by the hash of
   * the request's id; kept for a day.
   */
  public static final String SERVED_REQUESTS = "served-requests";

  /** Original bytes, with the {@code DEAD_LETTER_*} headers. */
  public static final String DEAD_LETTERS = "dead-letters";

  /** Topic a dead letter came from; absent where it came from a file. */
  public static final String DEAD_LETTER_TOPIC = "millrace.topic";

  /** Partition it came from. */
  public static final String DEAD_LETTER_PARTITION = "millrace.partition";

  /** Offset it came from. */
  public static final String DEAD_LETTER_OFFSET = "millrace.offset";

  /** File a dead letter came from; absent where it came from a topic. */
  public static final String DEAD_LETTER_FILE = "millrace.file";

  /** Line in that file, from 1. */
  public static final String DEAD_LETTER_LINE = "millrace.line";

  /** Short stable name of what was wrong, such as {@code BlankText}. */
  public static final String DEAD_LETTER_ERROR_CLASS = "millrace.error.class";

  /** What was wrong, in a sentence. */
  public static final String DEAD_LETTER_ERROR_MESSAGE = "millrace.error.message";

  private Topics() {}

  /** Key of what belongs to one version: {@code domain@version}, in UTF-8. */
  public static byte[] adapterKey(String domain, long version) {
    return (domain + "@" + version).getBytes(StandardCharsets.UTF_8);
  }

  /** The domain in a key made by {@link #adapterKey}; it may itself contain {@code @}. */
  public static String domainOfAdapterKey(byte[] key) {
    String text = new String(key, StandardCharsets.UTF_8);
    return text.substring(0, separator(text));
  }

  /** The version in a key made by {@link #adapterKey}. */
  public static long versionOfAdapterKey(byte[] key) {
    String text = new String(key, StandardCharsets.UTF_8);
    return Long.parseLong(text.substring(separator(text) + 1));
  }

  private static int separator(String key) {
    int at = key.lastIndexOf('@');
    if (at < 0) {
      throw new IllegalArgumentException("not an adapter key (domain@version): " + key);
    }
    return at;
  }
}
