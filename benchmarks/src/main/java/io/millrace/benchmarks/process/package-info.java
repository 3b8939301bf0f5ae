/** The processes that measurements start, and the directories that these leave nothing in. */
package io.millrace.benchmarks.process;
