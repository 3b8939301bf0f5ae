/**
 * What an example must be to be trained on, and the operator that turns all others into dead
 * letters.
 *
 * <p>The rules look at one example at a time and keep no state. Parsing of files and of Kafka
 * records belongs to the pipeline.
 */
package io.millrace.operators.gate;
