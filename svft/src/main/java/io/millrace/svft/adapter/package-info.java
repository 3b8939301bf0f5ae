/**
 * Adapters: one immutable version and its payload, the classifier that answers with it, and merging
 * it into the base model's weights. Nothing here trains.
 */
package io.millrace.svft.adapter;
