/** What it costs to put training on record. */
package io.millrace.benchmarks.recording;
