/**
 * Adapters: one immutable version and its payload, the classifier that answers with it, and merging
 * it into the base model's weights; and LoRA adapters of PEFT, from which a domain can start.
 * Nothing here trains.
 */
package io.millrace.svft.adapter;
