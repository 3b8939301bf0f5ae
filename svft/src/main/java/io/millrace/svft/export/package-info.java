/**
 * Writes a model with an adapter merged into it as a Hugging Face directory. Nothing else in this
 * module may depend on it.
 */
package io.millrace.svft.export;
