/**
 * Labels for requests that were answered here or by another serving process: remembers and shares
 * the requests for a while, joins a label to its request, and writes the two to {@code
 * labeled-examples}.
 *
 * <p>No JSON of clients and no HTTP.
 */
package io.millrace.inference.feedback;
