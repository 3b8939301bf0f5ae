/**
 * Adapter methods: one class each, with all that belongs to it, and SVFT's sparsity patterns. A new
 * method is one class here and one line in {@link io.millrace.svft.method.AdapterMethods}. Nothing
 * here trains, serves or writes files.
 */
package io.millrace.svft.method;
