/**
 * What the page shows: how each domain is doing, what was decided about it, what was refused, and
 * how far the job is behind. All of it is read from topics and asked of serving processes; nothing
 * here decides anything or writes to a topic, and nothing is kept on disk.
 *
 * <p>Everything is bounded: the number of domains, and per domain the points of its curve and the
 * marks on it.
 */
package io.millrace.inference.dashboard;
