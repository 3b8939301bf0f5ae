package io.millrace.operators;

import io.millrace.schemas.EvidenceExample;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.TrainingStep;
import java.util.Optional;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;

/**
 * The part of the job that decides on candidates and notes where a stream has changed: what comes
 * out goes to the topic rollouts. See {@link EvidenceFunction}.
 */
public final class Evidence {
  private static final TypeInformation<EvidenceInput> INPUT =
      new AvroTypeInfo<>(EvidenceInput.class);

  private Evidence() {}

  /**
   * @param adaptation whose examples and steps it looks at
   * @param log the topic rollouts: decisions as they stand, publications once they are committed
   * @param slots where the operator runs, if training must not share slots with the rest
   */
  public static DataStream<OutgoingRecord> of(
      Adaptation adaptation,
      DataStream<RolloutEvent> log,
      EvidenceSettings settings,
      PublishedAdapters published,
      Optional<SlotSharingGroup> slots) {
    DataStream<EvidenceInput> examples =
        adaptation
            .examples()
            .map(Evidence::input)
            .returns(INPUT)
            .name("examples to compare on")
            .uid("evidence-examples");
    DataStream<EvidenceInput> steps =
        adaptation
            .adapted()
            .filter(record -> record.getValue() instanceof TrainingStep)
            .name("steps")
            .uid("evidence-steps-filter")
            .map(record -> new EvidenceInput(record.getRoute(), record.getValue()))
            .returns(INPUT)
            .name("steps to watch")
            .uid("evidence-steps");
    DataStream<EvidenceInput> events =
        log.map(event -> new EvidenceInput(event.getDomain(), event))
            .returns(INPUT)
            .name("rollouts to follow")
            .uid("evidence-rollouts");
    SingleOutputStreamOperator<OutgoingRecord> evidence =
        events
            .union(examples, steps)
            .keyBy(EvidenceInput::getDomain)
            .process(new EvidenceFunction(settings, published))
            .returns(new AvroTypeInfo<>(OutgoingRecord.class))
            .name("evidence")
            .uid("evidence");
    slots.ifPresent(evidence::slotSharingGroup);
    return evidence;
  }

  private static EvidenceInput input(ReceivedExample received) {
    LabeledExample example = received.getExample();
    return new EvidenceInput(
        example.getDomain(),
        new EvidenceExample(
            received.getPartition(), received.getOffset(), example.getText(), example.getLabel()));
  }
}
