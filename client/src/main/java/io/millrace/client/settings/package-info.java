/**
 * Declared settings: key, type, default, description; their values from a file, environment
 * variables and the command line; the picocli options for them. It declares no setting of any
 * process.
 */
package io.millrace.client.settings;
