/**
 * The connection to Kafka and the schema registry, serializers of Millrace's records in Confluent's
 * wire format, and the partition of a domain. It knows no topic; rules on a topic's content belong
 * to a package of their own, such as {@code rollout}.
 */
package io.millrace.client.kafka;
