/**
 * The {@code benchmark} command line. Each package below this one holds one kind of measurement, or
 * what several of them share ({@code model}, {@code load}, {@code process}, {@code report}, {@code
 * streams}).
 *
 * <p>Nothing depends on this module, and it never links {@code inference}, which it starts as a
 * process.
 */
package io.millrace.benchmarks;
