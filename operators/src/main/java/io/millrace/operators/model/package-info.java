/**
 * The base model in a task manager: one copy per process and device, and the device that a task
 * uses.
 *
 * <p>Nothing of a domain belongs here: domains have state, the base model has none.
 */
package io.millrace.operators.model;
