/**
 * Numbers about a run, counted from the topics the job writes, and the report made of them. It
 * starts nothing and prints nothing.
 */
package io.millrace.pipeline.report;
