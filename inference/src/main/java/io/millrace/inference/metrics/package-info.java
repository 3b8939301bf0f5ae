/**
 * Counters, histograms and gauges for Prometheus.
 *
 * <p>It knows no other package of the module: what counts calls it, and what has a state registers
 * a gauge that reads it.
 */
package io.millrace.inference.metrics;
