/** The rate of a replay beside that of the training that it repeats. */
package io.millrace.benchmarks.replay;
