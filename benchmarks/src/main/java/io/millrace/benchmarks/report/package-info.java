/** How measurements are shown: quantiles and tables. */
package io.millrace.benchmarks.report;
