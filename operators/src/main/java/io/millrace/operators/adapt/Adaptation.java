package io.millrace.operators.adapt;

import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.gate.ExampleGate;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.operators.gate.GateOperator;
import io.millrace.operators.model.TaskDevice;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import java.util.Optional;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;

/**
 * The part of the job between source and sink: received records in; steps, versions and dead
 * letters out, all in one stream, so that one sink commits them together.
 *
 * <p>Every exchange is keyed: by domain on the way in, by {@link OutgoingRecord#getRoute()} on the
 * way out. So a domain's records keep their order at any parallelism and after rescaling. A forward
 * edge would not do: Flink turns it into a rebalance when parallelisms differ.
 *
 * @param outgoing all records to write
 * @param progress how domains are doing, to be written in no transaction
 * @param evidence the examples that can be trained on, and the steps, for {@link Evidence}
 */
public record Adaptation(
    DataStream<OutgoingRecord> outgoing,
    DataStream<OutgoingRecord> progress,
    DataStream<EvidenceInput> evidence) {

  /**
   * Adds the operators behind a source.
   *
   * @param received as the source read them; examples that it could not read carry an error
   * @param parents what new domains may start from
   * @param slots where the training operator runs, if it must not share slots with the rest: task
   *     managers with a GPU, say
   */
  public static Adaptation of(
      DataStream<ReceivedExample> received,
      ExampleRules rules,
      AdaptSettings settings,
      ParentVersions parents,
      Optional<SlotSharingGroup> slots) {
    SingleOutputStreamOperator<ReceivedExample> examples =
        received
            .transform(
                "check examples",
                new AvroTypeInfo<>(ReceivedExample.class),
                new GateOperator(rules))
            .uid("check-examples");
    SingleOutputStreamOperator<OutgoingRecord> adapted =
        examples
            .keyBy(example -> example.getExample().getDomain())
            .transform(
                "adapt",
                new AvroTypeInfo<>(OutgoingRecord.class),
                new AdaptOperator(settings, parents))
            .uid("adapt");
    slots.ifPresent(adapted::slotSharingGroup);
    return new Adaptation(
        adapted
            .union(examples.getSideOutput(ExampleGate.DEAD_LETTERS))
            .keyBy(OutgoingRecord::getRoute),
        adapted.getSideOutput(OutgoingRecords.PROGRESS),
        examples.getSideOutput(Evidence.INPUT).union(adapted.getSideOutput(Evidence.INPUT)));
  }

  /** A slot on a task manager that has a GPU to itself. */
  public static SlotSharingGroup gpuSlot(
      double cpuCores, int heapMiB, int offHeapMiB, int managedMiB) {
    return SlotSharingGroup.newBuilder("training")
        .setCpuCores(cpuCores)
        .setTaskHeapMemoryMB(heapMiB)
        .setTaskOffHeapMemoryMB(offHeapMiB)
        .setManagedMemory(MemorySize.ofMebiBytes(managedMiB))
        .setExternalResource(TaskDevice.GPU_RESOURCE, 1.0)
        .build();
  }
}
