package io.millrace.operators.adapt;

import io.millrace.operators.model.TaskDevice;
import java.io.Serializable;
import java.time.Duration;

/**
 * Settings of the adapt operator.
 *
 * @param domains what each domain trains with
 * @param modelStore where base models lie: a path, or the URI of a Flink file system
 * @param modelName base model in that store
 * @param device where tasks compute
 * @param threads number of threads that share a step's work
 * @param signingKey path of the Ed25519 private key that signs versions; empty for none
 * @param limits what a domain may grow to
 * @param groups which batches train together
 * @param frozenShare largest share of the time for comparing with the frozen model, see {@link
 *     FrozenComparison}; 0 compares nothing
 */
public record AdaptSettings(
    DomainRules domains,
    String modelStore,
    String modelName,
    TaskDevice device,
    int threads,
    String signingKey,
    Limits limits,
    Groups groups,
    double frozenShare)
    implements Serializable {

  /** These with other settings of domains. */
  public AdaptSettings with(DomainRules others) {
    return new AdaptSettings(
        others, modelStore, modelName, device, threads, signingKey, limits, groups, frozenShare);
  }

  /** These with another share of the time for the frozen model. */
  public AdaptSettings withFrozenShare(double share) {
    return new AdaptSettings(
        domains, modelStore, modelName, device, threads, signingKey, limits, groups, share);
  }

  /**
   * What a domain may grow to.
   *
   * @param labels most labels of a domain, see {@link LabelLimit}
   * @param versionBytes largest record of a version; a domain with a larger one is set aside
   * @param snapshotBytes largest record of a snapshot; a larger one is left out
   * @param metricsDomains domains of a subtask that have metrics of their own
   * @param retention time without an example, by Kafka's clock, after which a domain without a
   *     version is dropped from state, see {@link DomainRetention}; zero for never
   */
  public record Limits(
      int labels, long versionBytes, long snapshotBytes, int metricsDomains, Duration retention)
      implements Serializable {
    /** 4,000 labels, what Kafka's topics take as Millrace makes them, and no retention. */
    public static final Limits DEFAULT =
        new Limits(4000, 64L << 20, 64L << 20, 1000, Duration.ZERO);

    /** These with other sizes of records. */
    public Limits withRecords(long version, long snapshot) {
      return new Limits(labels, version, snapshot, metricsDomains, retention);
    }
  }

  /**
   * Which closed batches, of several domains, train together; see {@link ReadyQueue}.
   *
   * @param tokens about as many make a group
   * @param longestWait of a batch for others to train with; zero trains each as it closes
   */
  public record Groups(int tokens, Duration longestWait) implements Serializable {
    /** 256 tokens, as many as a full batch of usual texts has, and 10 ms. */
    public static final Groups DEFAULT = new Groups(256, Duration.ofMillis(10));

    /** Each batch trains alone, as it closes. */
    public static final Groups NONE = new Groups(1, Duration.ZERO);
  }
}
