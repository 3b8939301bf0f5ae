/**
 * Base models: their files, architectures, tokenizers and singular bases, the store that prepares
 * them, and the loaded {@link io.millrace.svft.model.BaseModel}. Nothing here knows of adapters.
 */
package io.millrace.svft.model;
