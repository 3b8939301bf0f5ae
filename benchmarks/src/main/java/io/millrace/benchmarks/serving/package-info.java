/** Serving: requests per second, and what a swap costs the requests that are under way. */
package io.millrace.benchmarks.serving;
