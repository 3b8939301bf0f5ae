/**
 * Decisions by evidence: the operator that compares a candidate with the stable version on live
 * examples, the sequential tests behind it, and the detectors of drift.
 *
 * <p>It reads rollouts and appends decisions to them; it trains nothing and serves nothing. What a
 * rollout is, and which decisions have an effect, belongs to {@code schemas}.
 */
package io.millrace.operators.evidence;
