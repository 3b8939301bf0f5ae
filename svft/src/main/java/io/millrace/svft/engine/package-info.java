/**
 * The passes through an encoder, forward and backward: TorchScript programs, the batches and slices
 * they run on, and the threads that share them. Internal to this module: no other module may use
 * it, and it knows no adapter method, only products of one linear weight.
 */
package io.millrace.svft.engine;
