/**
 * The rules of a rollout: the state that its log folds to, its history, and the decisions that can
 * be made on top of a state.
 *
 * <p>Pure functions of events. Reading and writing the topic {@code rollouts} belongs to the
 * modules that have a Kafka client.
 */
package io.millrace.schemas.rollout;
