/**
 * What survives a restart: versions, refusals and rollout events with the offsets they were read up
 * to, in a local RocksDB.
 *
 * <p>It only stores. Whether a version is to be trusted, loaded or served is decided in {@link
 * io.millrace.inference.serving}. No other package knows RocksDB; this one knows no other package
 * of the module.
 */
package io.millrace.inference.store;
