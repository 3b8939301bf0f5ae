package io.millrace.inference;

/** The next record to read from a partition of a topic. */
record StreamOffset(int partition, long next) {}
