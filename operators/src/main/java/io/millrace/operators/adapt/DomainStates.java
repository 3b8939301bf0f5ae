package io.millrace.operators.adapt;

import io.millrace.schemas.DomainState;
import io.millrace.schemas.StreamPosition;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.NativeFloats;
import io.millrace.svft.training.ClassMeans;
import io.millrace.svft.training.Parameters;
import io.millrace.svft.training.TrainingState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Conversions between the state that a step computes with and the Avro record in keyed state. */
public final class DomainStates {
  private DomainStates() {}

  static DomainState initial(BaseModel base, TrainingState state) {
    DomainState empty =
        DomainState.newBuilder()
            .setBaseSha256(base.baseSha256())
            .setBasisSha256(base.basisSha256())
            .setMethod("")
            .setLabels(List.of())
            .setLabelBornAtStep(List.of())
            .setPositions(ByteBuffer.allocate(0))
            .setScores(ByteBuffer.allocate(0))
            .setValues(ByteBuffer.allocate(0))
            .setValuesFirstMoment(ByteBuffer.allocate(0))
            .setValuesSecondMoment(ByteBuffer.allocate(0))
            .setHead(ByteBuffer.allocate(0))
            .setHeadFirstMoment(ByteBuffer.allocate(0))
            .setHeadSecondMoment(ByteBuffer.allocate(0))
            .setClassMeans(ByteBuffer.allocate(0))
            .setSteps(0)
            .setExamples(0)
            .setVersion(0)
            .setPublishedAtStep(0)
            .setTrainedThrough(List.of())
            .build();
    write(state, empty);
    return empty;
  }

  /**
   * The training state in a record.
   *
   * @throws PermanentFailureException where it was trained on another base model or basis
   */
  public static TrainingState read(DomainState record, BaseModel base) {
    requireSame("base model", record.getBaseSha256(), base.baseSha256());
    requireSame("singular basis", record.getBasisSha256(), base.basisSha256());
    return new TrainingState(
        AdapterMethod.parse(record.getMethod()),
        List.copyOf(record.getLabels()),
        record.getLabelBornAtStep().stream().mapToLong(Long::longValue).toArray(),
        Floats.intsFromBytes(record.getPositions()),
        Floats.fromBytes(record.getScores()),
        parameters(
            record.getValues(), record.getValuesFirstMoment(), record.getValuesSecondMoment()),
        parameters(record.getHead(), record.getHeadFirstMoment(), record.getHeadSecondMoment()),
        ClassMeans.of(Floats.fromBytes(record.getClassMeans()), base.config().hidden()),
        record.getSteps(),
        record.getExamples());
  }

  private static Parameters parameters(
      ByteBuffer values, ByteBuffer firstMoment, ByteBuffer secondMoment) {
    int count = values.remaining() / Float.BYTES;
    if (count > Parameters.MOST_ON_HEAP) {
      return new Parameters(
          new Parameters.Outside(
              outside(values, count), outside(firstMoment, count), outside(secondMoment, count)));
    }
    float[] all = Floats.fromBytes(values);
    return new Parameters(all, moments(firstMoment, all.length), moments(secondMoment, all.length));
  }

  /** Moves the values and moments of a record outside of the heap. */
  static void moveOutside(DomainState record) {
    int count = record.getValues().remaining() / Float.BYTES;
    record.setValues(outside(record.getValues(), count).bytes());
    record.setValuesFirstMoment(outside(record.getValuesFirstMoment(), count).bytes());
    record.setValuesSecondMoment(outside(record.getValuesSecondMoment(), count).bytes());
  }

  /** The record's own memory where it lies outside of the heap, as a step has left it. */
  private static NativeFloats outside(ByteBuffer bytes, int count) {
    return bytes.isDirect() && bytes.remaining() == count * Float.BYTES
        ? NativeFloats.of(bytes)
        : NativeFloats.copyOf(moments(bytes, count));
  }

  private static float[] moments(ByteBuffer bytes, int count) {
    return bytes.remaining() == count * Short.BYTES
        ? Floats.fromBFloat16Bytes(bytes)
        : Floats.fromBytes(bytes);
  }

  /** Moments take half the bytes where none is lost. */
  private static ByteBuffer moments(float[] values) {
    return ByteBuffer.wrap(
        Floats.allBFloat16(values) ? Floats.toBFloat16Bytes(values) : Floats.toBytes(values));
  }

  private static void requireSame(String what, String inState, String here) {
    if (!inState.equals(here)) {
      throw new PermanentFailureException(
          "state was trained on the %s %s, the one here is %s: restore the model store it belongs to"
              .formatted(what, inState, here));
    }
  }

  /**
   * Writes a training state into a record; the record's other fields stay as they are. Of many
   * values, the record shares the memory.
   */
  public static void write(TrainingState state, DomainState record) {
    record.setMethod(state.method().spec());
    record.setLabels(state.labels());
    record.setLabelBornAtStep(Arrays.stream(state.labelBornAtStep()).boxed().toList());
    record.setPositions(ByteBuffer.wrap(Floats.toBytes(state.positions())));
    record.setScores(bytes(state.scores()));
    Optional<Parameters.Outside> outside = state.adapter().outside();
    if (outside.isPresent()) {
      record.setValues(outside.get().values().bytes());
      record.setValuesFirstMoment(outside.get().firstMoment().bytes());
      record.setValuesSecondMoment(outside.get().secondMoment().bytes());
    } else {
      record.setValues(bytes(state.adapter().values()));
      record.setValuesFirstMoment(moments(state.adapter().firstMoment()));
      record.setValuesSecondMoment(moments(state.adapter().secondMoment()));
    }
    record.setHead(bytes(state.head().values()));
    record.setHeadFirstMoment(moments(state.head().firstMoment()));
    record.setHeadSecondMoment(moments(state.head().secondMoment()));
    record.setClassMeans(bytes(state.means().toArray()));
    record.setSteps(state.steps());
    record.setExamples(state.examples());
  }

  private static ByteBuffer bytes(float[] values) {
    return ByteBuffer.wrap(Floats.toBytes(values));
  }

  /** Size in bytes of a state's numbers: positions, scores, values, moments and head. */
  public static long bytes(DomainState record) {
    return Stream.of(
            record.getPositions(),
            record.getScores(),
            record.getValues(),
            record.getValuesFirstMoment(),
            record.getValuesSecondMoment(),
            record.getHead(),
            record.getHeadFirstMoment(),
            record.getHeadSecondMoment(),
            record.getClassMeans())
        .mapToLong(ByteBuffer::remaining)
        .sum();
  }

  /** The last offset of each partition after one more example, in the order of partitions. */
  static List<StreamPosition> advance(List<StreamPosition> positions, int partition, long offset) {
    List<StreamPosition> advanced = new ArrayList<>(positions);
    advanced.removeIf(p -> p.getPartition() == partition);
    advanced.add(new StreamPosition(partition, offset));
    advanced.sort(Comparator.comparingInt(StreamPosition::getPartition));
    return advanced;
  }
}
