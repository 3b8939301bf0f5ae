/**
 * Tensors and their bytes: safetensors files, hashes, seeded draws, and the few calls to PyTorch
 * that everything else shares. Nothing here knows of models, methods or training.
 */
package io.millrace.svft.tensor;
