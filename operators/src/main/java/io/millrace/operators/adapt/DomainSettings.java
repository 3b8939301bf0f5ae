package io.millrace.operators.adapt;

import io.millrace.schemas.RolloutPolicy;
import io.millrace.svft.training.TrainingSettings;
import java.io.Serializable;
import java.time.Duration;
import java.util.TreeMap;

/**
 * The settings that a domain trains with.
 *
 * @param training settings of a training step
 * @param batchSize examples in a full batch
 * @param batchTimeout after which a batch that is not full closes, see {@link PendingBatches}; zero
 *     for never
 * @param publishEverySteps steps from one version to the next
 * @param snapshotEveryVersions versions from one snapshot of the whole state to the next; 0 for
 *     none
 * @param recorded every setting that training depends on, by its key, as a version's manifest names
 *     it
 * @param initFrom what the domain's first step begins with, see {@link DomainStart}
 * @param firstPolicy of the domain's rollout, until someone decides
 */
public record DomainSettings(
    TrainingSettings training,
    int batchSize,
    Duration batchTimeout,
    int publishEverySteps,
    int snapshotEveryVersions,
    TreeMap<String, String> recorded,
    InitFrom initFrom,
    RolloutPolicy firstPolicy)
    implements Serializable {}
