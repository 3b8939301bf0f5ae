package io.millrace.pipeline.replay;

import java.util.List;

/**
 * The first difference between a replay and the record.
 *
 * @param domain whose training it is
 * @param step the first step that differs; of a broken payload, the step it was published at
 * @param version the version that the step led to, or 0 where none did yet
 * @param what is different, in a few words
 * @param recorded SHA-256 on record; empty where there is none
 * @param replayed SHA-256 that the replay came to; empty where it came to none
 * @param details what else is known: the batch, the environment, the settings; one line each
 */
public record Difference(
    String domain,
    long step,
    long version,
    String what,
    String recorded,
    String replayed,
    List<String> details) {}
