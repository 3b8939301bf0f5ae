/**
 * What starts the serving process: the command, its settings, and {@link
 * io.millrace.inference.ServingProcess}, which makes the parts, connects them, and closes them in
 * order.
 *
 * <p>No rule of serving belongs here, and no other package may use this one.
 */
package io.millrace.inference;
