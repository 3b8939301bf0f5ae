/**
 * The Avro records on every topic and in state, generated from {@code src/main/avro}, and the names
 * of the topics ({@link io.millrace.schemas.Topics}) and of domains ({@link
 * io.millrace.schemas.DomainPath}).
 *
 * <p>The full names of the records are part of the wire format and of savepoints, so records do not
 * move to other packages. Code that works with the records belongs to the packages below this one,
 * which depend on it and not on each other.
 */
package io.millrace.schemas;
