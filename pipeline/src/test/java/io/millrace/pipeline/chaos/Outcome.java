package io.millrace.pipeline.chaos;

import java.time.Duration;

/**
 * What came of a run.
 *
 * @param examples trained on
 * @param training from the first step to the last
 * @param longestPause between one step and the next, of whatever domain
 * @param untilNextStep from the failure until a reader of committed records saw the first step
 *     taken after it, the longest such time; null where nothing failed
 * @param restarts of the job, as Flink counts them
 */
record Outcome(
    String name,
    long examples,
    long deadLetters,
    Chains chains,
    Duration training,
    Duration longestPause,
    Duration untilNextStep,
    long restarts) {}
