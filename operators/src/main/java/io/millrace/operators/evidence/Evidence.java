package io.millrace.operators.evidence;

import io.millrace.schemas.DomainForgotten;
import io.millrace.schemas.EvidenceExample;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionPlace;
import java.util.Optional;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/**
 * The part of the job that decides on candidates and notes where a stream has changed. Its output
 * goes to the topic {@code rollouts}. See {@link EvidenceFunction}.
 */
public final class Evidence {
  private static final TypeInformation<EvidenceInput> TYPE =
      new AvroTypeInfo<>(EvidenceInput.class);

  /** Side output of the operators that feed evidence. A job without evidence ignores it. */
  public static final OutputTag<EvidenceInput> INPUT = new OutputTag<>("evidence", TYPE);

  private Evidence() {}

  /**
   * Adds the operators.
   *
   * @param seen what {@code Adaptation.evidence} gives
   * @param log the topic rollouts: decisions as they stand, publications once they are committed
   * @param places where the versions stand that are committed, as {@link #input(String,
   *     VersionPlace)}
   * @param slots where the operator runs, if training must not share slots with the rest
   * @return decisions; the side output {@code OutgoingRecords.PROGRESS} has how comparisons go
   */
  public static SingleOutputStreamOperator<OutgoingRecord> of(
      DataStream<EvidenceInput> seen,
      DataStream<RolloutEvent> log,
      DataStream<EvidenceInput> places,
      EvidenceSettings settings,
      PublishedAdapters published,
      Optional<SlotSharingGroup> slots) {
    SingleOutputStreamOperator<OutgoingRecord> evidence =
        log.map(event -> new EvidenceInput(event.getDomain(), event))
            .returns(TYPE)
            .name("follow")
            .uid("evidence-rollouts")
            .union(seen, places)
            .keyBy(EvidenceInput::getDomain)
            .process(new EvidenceFunction(settings, published))
            .returns(new AvroTypeInfo<>(OutgoingRecord.class))
            .name("evidence")
            .uid("evidence");
    slots.ifPresent(evidence::slotSharingGroup);
    return evidence;
  }

  /** An example that can be trained on, as input of evidence. */
  public static EvidenceInput input(ReceivedExample received) {
    LabeledExample example = received.getExample();
    return new EvidenceInput(
        example.getDomain(),
        new EvidenceExample(
            received.getPartition(), received.getOffset(), example.getText(), example.getLabel()));
  }

  /**
   * A domain that was dropped from training's state, as input of evidence.
   *
   * @param lastExample Kafka's time of its last example
   */
  public static EvidenceInput forgotten(String domain, long lastExample) {
    return new EvidenceInput(domain, new DomainForgotten(lastExample));
  }

  /** Where a version stands in the topic adapters, as input of evidence. */
  public static EvidenceInput input(String domain, VersionPlace place) {
    return new EvidenceInput(domain, place);
  }

  /** A step, as input of evidence. */
  public static EvidenceInput input(TrainingStep step) {
    return new EvidenceInput(step.getDomain(), step);
  }
}
