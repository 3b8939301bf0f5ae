/**
 * Examples from files: reading lines, parsing them, their limits, and sending them to {@code
 * labeled-examples} without sending one twice. The checks on a received example are the gate's, in
 * {@code operators}.
 */
package io.millrace.pipeline.input;
