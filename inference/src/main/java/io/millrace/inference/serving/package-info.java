/**
 * What serves: which versions of a domain are loaded, which of them answer a request, when the
 * pointer to them moves, and which are merged into the weights.
 *
 * <p>The way in is {@link io.millrace.inference.serving.AdapterCatalog}; the hard part is explained
 * at {@code LiveVersions}. The types depend on each other in one direction. How records arrive and
 * how requests arrive is not known here: no Kafka, no HTTP.
 */
package io.millrace.inference.serving;
