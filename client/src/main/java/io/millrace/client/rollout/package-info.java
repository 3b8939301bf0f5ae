/**
 * The topic {@code rollouts} for every process: which of its records count, how they are read and
 * written, and rollouts as JSON. The rules on what events mean are in {@code
 * io.millrace.schemas.rollout}, which needs no Kafka.
 */
package io.millrace.client.rollout;
