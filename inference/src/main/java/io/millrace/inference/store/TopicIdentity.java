package io.millrace.inference.store;

/**
 * Identifies the topic that the store was filled from: offsets are not valid for another topic,
 * even of the same name.
 *
 * @param clusterId the id that Kafka gave to the cluster
 * @param topicId the id that Kafka gave to the topic; a topic that is deleted and made again gets
 *     another one
 */
public record TopicIdentity(String clusterId, String topicId) {
  @Override
  public String toString() {
    return "topic " + topicId + " of Kafka cluster " + clusterId;
  }
}
