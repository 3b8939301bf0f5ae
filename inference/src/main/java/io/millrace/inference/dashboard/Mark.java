package io.millrace.inference.dashboard;

/**
 * A decision or a note, to be shown on a curve.
 *
 * @param time by Kafka's clock, in milliseconds since 1970
 * @param action such as {@code promote} or {@code drift}
 * @param version which version it is about; 0 for none
 * @param author who or what did it
 * @param reason why; may be empty
 */
record Mark(long time, String action, long version, String author, String reason) {}
