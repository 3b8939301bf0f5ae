package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.Adaptation;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.operators.adapt.ParentVersions;
import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import java.time.Duration;
import java.util.Optional;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The topology of the job:
 *
 * <pre>
 * labeled-examples -> gate -> adapt -> commit in time -> publish (adapters, training-steps,
 *                               |                                 training-snapshots, dead-letters,
 *                               |                                 publications in rollouts)
 *                               v
 * rollouts, adapters ------> evidence -> append to rollouts
 *
 * adapt, evidence -> report progress (training-progress)
 * </pre>
 *
 * Steps, versions and dead letters are published exactly once. The lower lines exist only where the
 * input does not end: the examples of a file are over before a version trained on them could serve,
 * or someone could look.
 *
 * <p>The uids here are in every savepoint; so are those in {@link Adaptation} and {@link Evidence}.
 */
public final class AdaptationJob {
  /** Whether the job ends at what the topic held when it started, or never. */
  public enum Input {
    BOUNDED,
    UNBOUNDED
  }

  /** What a job without state may begin with. */
  public enum Beginning {
    /** The first example, whether a job has trained on it before or not. */
    ANEW,
    /** The first example, where no job has trained yet; otherwise it fails for good. */
    ONCE
  }

  /**
   * Time since the last completed checkpoint after which no other one begins. One takes at most ten
   * minutes, so its commit comes before Kafka aborts the transaction.
   */
  private static final Duration COMMIT_WITHIN = Duration.ofMinutes(4);

  private AdaptationJob() {}

  /** Adds the operators of the job to an environment. */
  public static void define(
      StreamExecutionEnvironment environment,
      Settings settings,
      ExampleRules rules,
      Input input,
      Beginning beginning) {
    Connection connection = new Connection(settings);
    JobSources sources = new JobSources(settings, connection);
    JobSinks sinks = new JobSinks(settings, connection);
    Optional<SlotSharingGroup> slots = slots(environment, settings);
    environment.setParallelism(settings.get(JobSettings.PARALLELISM));

    DataStream<ReceivedExample> received =
        environment
            .fromSource(
                sources.examples(input, beginning),
                WatermarkStrategy.noWatermarks(),
                Topics.LABELED_EXAMPLES)
            .uid("labeled-examples");

    // The gate and the adapt operator, keyed by domain.
    Adaptation adaptation =
        Adaptation.of(
            received,
            rules,
            input == Input.UNBOUNDED
                ? JobSettings.adapt(settings)
                : JobSettings.adapt(settings).withFrozenShare(0),
            parents(settings, connection),
            slots);

    adaptation
        .outgoing()
        .map(new CommitDeadline(COMMIT_WITHIN))
        .name("commit in time")
        .uid("commit-deadline")
        .sinkTo(sinks.transactional())
        .name("publish")
        .uid("publish");

    if (input == Input.UNBOUNDED) {
      DataStream<RolloutEvent> log =
          rollouts(environment, sources, RolloutKind.DECISIONS)
              .union(rollouts(environment, sources, RolloutKind.PUBLICATIONS));
      DataStream<EvidenceInput> places =
          environment
              .fromSource(
                  sources.versionPlaces(), WatermarkStrategy.noWatermarks(), Topics.ADAPTERS)
              .uid("version-places");
      SingleOutputStreamOperator<OutgoingRecord> evidence =
          Evidence.of(
              adaptation.evidence(),
              log,
              places,
              JobSettings.evidence(settings),
              new LoggedAdapters(connection),
              slots);
      evidence.sinkTo(sinks.decisions()).name("append to rollouts").uid("append-rollouts");
      adaptation
          .progress()
          .union(evidence.getSideOutput(OutgoingRecords.PROGRESS))
          .sinkTo(sinks.progress())
          .name("report progress")
          .uid("report-progress");
    }
  }

  /** No source of the graph: what new domains start from changes neither it nor its state. */
  private static ParentVersions parents(Settings settings, Connection connection) {
    return JobSettings.domains(settings).all().stream()
            .anyMatch(each -> each.initFrom().kind() == InitFrom.Kind.PARENT)
        ? new LoggedParents(connection, settings.get(JobSettings.PARENT_DOMAINS))
        : ParentVersions.none();
  }

  private static DataStream<RolloutEvent> rollouts(
      StreamExecutionEnvironment environment, JobSources sources, RolloutKind kind) {
    return environment
        .fromSource(
            sources.rollouts(kind),
            WatermarkStrategy.noWatermarks(),
            Topics.ROLLOUTS + ": " + kind.id())
        .uid("rollouts-" + kind.id());
  }

  /** With a GPU, training has slots of its own, of a known size; empty without one. */
  private static Optional<SlotSharingGroup> slots(
      StreamExecutionEnvironment environment, Settings settings) {
    if (!settings.get(JobSettings.DEVICE).equals("gpu")) {
      return Optional.empty();
    }
    // A slot of unknown size on a task manager with a GPU would take a share of it.
    environment.registerSlotSharingGroup(
        SlotSharingGroup.newBuilder("default").setCpuCores(0.5).setTaskHeapMemoryMB(128).build());
    return Optional.of(
        Adaptation.gpuSlot(
            settings.get(JobSettings.SLOT_CPU_CORES),
            settings.get(JobSettings.SLOT_HEAP_MIB),
            settings.get(JobSettings.SLOT_OFF_HEAP_MIB),
            settings.get(JobSettings.SLOT_MANAGED_MIB)));
  }
}
