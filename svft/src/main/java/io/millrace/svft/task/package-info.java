/**
 * Tasks: what a model is trained to answer, its loss, its score, and what a prediction is, with the
 * layout of the head that answers. Nothing here knows of models or of training.
 */
package io.millrace.svft.task;
