package io.millrace.inference.store;

/** The next record to read from a partition of a topic. */
public record StreamOffset(int partition, long next) {}
