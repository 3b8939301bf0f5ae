package io.millrace.operators.evidence;

import io.millrace.svft.method.AdapterMethod;
import java.io.Serializable;
import java.util.TreeSet;

/**
 * What the evidence operator is told.
 *
 * @param rules what is compared, and what decides
 * @param detectors names of the drift detectors that run
 * @param method what is trained beside the head: which of the base model's weights are loaded, and
 *     how, so that the model is the one that training has in memory
 * @param modelStore where base models lie: a path, or the URI of a Flink file system
 * @param modelName base model in that store
 * @param device {@code auto}, {@code cpu}, {@code gpu} or {@code gpu:N}
 */
public record EvidenceSettings(
    EvidenceRules rules,
    TreeSet<String> detectors,
    AdapterMethod method,
    String modelStore,
    String modelName,
    String device)
    implements Serializable {}
