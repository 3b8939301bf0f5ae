/** The streams that measurements are made on, and the command that writes them to files. */
package io.millrace.benchmarks.streams;
