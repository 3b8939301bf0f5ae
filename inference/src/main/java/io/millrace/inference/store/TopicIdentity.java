package io.millrace.inference.store;

/**
 * Which topic the store holds: offsets mean nothing on another one, even of the same name.
 *
 * @param clusterId Kafka's own name of the cluster
 * @param topicId Kafka's own name of the topic; a topic deleted and made again has another one
 */
public record TopicIdentity(String clusterId, String topicId) {
  @Override
  public String toString() {
    return "topic " + topicId + " of Kafka cluster " + clusterId;
  }
}
