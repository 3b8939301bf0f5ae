/**
 * Training again from the record: what the topics hold of a domain's training, the steps repeated
 * from it, and the comparison of hashes. What-if runs are here too. It publishes nothing.
 */
package io.millrace.pipeline.replay;
