/**
 * What people do with published versions: the audit of a domain's chain of versions, and the place
 * an export is written to. It prints nothing and does not connect to Kafka; the commands in {@code
 * cli} do.
 */
package io.millrace.pipeline.adapters;
