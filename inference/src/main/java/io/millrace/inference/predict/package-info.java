/**
 * Predictions: the queue of texts that wait, the batches that are scored in one pass, and what a
 * version says of a text.
 *
 * <p>No JSON and no HTTP; which version answers is decided in {@link
 * io.millrace.inference.serving}.
 */
package io.millrace.inference.predict;
