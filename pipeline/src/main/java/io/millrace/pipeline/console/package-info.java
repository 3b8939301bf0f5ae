/**
 * What a command shows while it runs: the progress bar and the reaction to SIGINT and SIGTERM.
 * Nothing here knows what is in progress.
 */
package io.millrace.pipeline.console;
