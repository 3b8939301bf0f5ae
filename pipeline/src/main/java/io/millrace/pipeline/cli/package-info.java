/**
 * Every command of {@code millrace}: its options, its text and JSON output, its exit code. A
 * command reads options, calls one of the other packages and prints what it returns; all JSON goes
 * through {@code Json}. What a command does besides that belongs elsewhere, and no other package
 * may use this one.
 */
package io.millrace.pipeline.cli;
