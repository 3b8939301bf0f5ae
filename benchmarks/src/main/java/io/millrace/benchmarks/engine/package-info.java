/**
 * The engine as a whole: products, the singular basis, and the swap of an adapter, with the tables
 * of their rates. Measurements of the engine from inside are in {@code io.millrace.svft.engine}.
 */
package io.millrace.benchmarks.engine;
