package io.millrace.svft.training;

/**
 * One labeled text.
 *
 * @param text the text
 * @param label its label
 * @param weight its weight in the batch's mean loss; positive and finite
 */
public record TrainingExample(String text, String label, float weight) {}
