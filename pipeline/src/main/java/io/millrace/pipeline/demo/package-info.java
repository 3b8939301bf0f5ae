/**
 * The demo: a live feed of WordNet's nouns, the job, a serving process as a child process, and the
 * frozen baseline. It starts {@code millrace serve} as a process and may not use its classes.
 */
package io.millrace.pipeline.demo;
