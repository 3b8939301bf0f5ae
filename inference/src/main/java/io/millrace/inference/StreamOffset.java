package io.millrace.inference;

/** The next record to read from a partition of {@code adapters}. */
record StreamOffset(int partition, long next) {}
