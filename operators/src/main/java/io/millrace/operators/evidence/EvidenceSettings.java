package io.millrace.operators.evidence;

import io.millrace.operators.model.TaskDevice;
import io.millrace.svft.method.AdapterMethod;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Set;
import java.util.TreeSet;

/**
 * Settings of the evidence operator.
 *
 * @param rules which versions are compared, and which decision follows
 * @param firstPolicies which policy a rollout gets after its first version
 * @param detectors names of the drift detectors to run, out of {@link #DETECTORS}
 * @param methods the adapter methods of training. They decide how the base model's weights are
 *     loaded, so that evidence and training share one model in memory
 * @param modelStore where base models lie: a path, or the URI of a Flink file system
 * @param modelName base model in that store
 * @param device where tasks compute
 * @param metricsDomains domains of a subtask that have metrics of their own
 */
public record EvidenceSettings(
    EvidenceRules rules,
    FirstPolicies firstPolicies,
    TreeSet<String> detectors,
    ArrayList<AdapterMethod> methods,
    String modelStore,
    String modelName,
    TaskDevice device,
    int metricsDomains)
    implements Serializable {
  /** Names of all drift detectors. */
  public static final Set<String> DETECTORS = Set.of(Adwin.NAME, PageHinkley.NAME);
}
