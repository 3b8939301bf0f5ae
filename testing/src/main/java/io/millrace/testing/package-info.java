/**
 * What the tests of all modules share: {@link io.millrace.testing.Await} waits, {@link
 * io.millrace.testing.Services} starts Kafka and schema registries, {@link
 * io.millrace.testing.TestRules} holds what every test class keeps to. It depends on no other
 * module, so that the tests of each of them can use it.
 */
package io.millrace.testing;
