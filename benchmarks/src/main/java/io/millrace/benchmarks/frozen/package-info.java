/** What it costs a job to compare its steps with the frozen model. */
package io.millrace.benchmarks.frozen;
