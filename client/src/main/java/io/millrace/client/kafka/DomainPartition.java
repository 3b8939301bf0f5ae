package io.millrace.client.kafka;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.utils.Utils;

/** The partition of a topic in which a domain's records stand, so that they have one order. */
public final class DomainPartition {
  private DomainPartition() {}

  /**
   * What Kafka's own partitioner makes of the domain as a key.
   *
   * @param partitions of the topic
   */
  public static int of(String domain, int partitions) {
    return of(domain.getBytes(StandardCharsets.UTF_8), partitions);
  }

  /** As {@link #of(String, int)}, of the domain in UTF-8. */
  public static int of(byte[] domain, int partitions) {
    return Utils.toPositive(Utils.murmur2(domain)) % partitions;
  }
}
