/**
 * What the benchmarks of the engine run and count: the model with its batches, ONNX Runtime beside
 * it, and the operations of a step.
 *
 * <p>No benchmark belongs here.
 */
package io.millrace.benchmarks.model;
