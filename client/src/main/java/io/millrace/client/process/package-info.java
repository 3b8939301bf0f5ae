/**
 * Conventions of command lines and processes: how a command runs and fails, the installation's
 * directory, ports on the loopback interface, and child processes that end with their parent. It
 * may not use Kafka, Avro or other packages of Millrace.
 */
package io.millrace.client.process;
