/**
 * Reads the topics {@code adapters} and {@code rollouts}: follows their partitions, puts each
 * record into the store together with its offset, then tells what serves.
 *
 * <p>What a record means for serving is decided in {@link io.millrace.inference.serving}. Nothing
 * here writes to a topic.
 */
package io.millrace.inference.log;
