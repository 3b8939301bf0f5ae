/**
 * Writes adapters for Hugging Face: merged into their base model, or alone for PEFT. Nothing else
 * in this module may depend on it.
 */
package io.millrace.svft.export;
