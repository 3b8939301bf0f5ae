/** Load on a serving process: with a fixed rate, and with clients that wait for their answers. */
package io.millrace.benchmarks.load;
