/** The time from a label to the predictions that it changes. */
package io.millrace.benchmarks.live;
