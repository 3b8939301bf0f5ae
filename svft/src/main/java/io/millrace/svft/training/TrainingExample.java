package io.millrace.svft.training;

/**
 * One labeled text.
 *
 * @param weight its share in the batch's mean loss; positive and finite
 */
public record TrainingExample(String text, String label, float weight) {}
