/** What many domains cost in training: beside one domain, and by their number. */
package io.millrace.benchmarks.domains;
