/**
 * Records as bytes: the Confluent wire format and the schema registry behind it.
 *
 * <p>Nothing here knows a topic, a domain or Kafka's clients.
 */
package io.millrace.schemas.registry;
