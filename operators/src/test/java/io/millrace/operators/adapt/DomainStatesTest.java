package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.millrace.operators.MiniLm;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.StreamPosition;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.training.ClassMeans;
import io.millrace.svft.training.Moments;
import io.millrace.svft.training.Parameters;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.nio.ByteBuffer;
import java.util.List;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DomainStatesTest {
  private static final ClassMeans MEANS = new ClassMeans(20, new float[] {1, 2, 3}, new float[384]);

  private final BaseModel base = MiniLm.base();

  @Test
  void aTrainingStateComesBackFromKeyedStateBitForBit() throws Exception {
    TrainingState state = someState();

    DomainState read = throughFlink(DomainStates.initial(base, state));

    assertThat(DomainStates.read(read, base)).usingRecursiveComparison().isEqualTo(state);
    assertThat(DomainStates.read(read, base).sha256()).isEqualTo(state.sha256());
  }

  /** Records of releases without the field have none. */
  @Test
  void aRecordWithoutMeanVectorsHasNone() {
    DomainState record = DomainStates.initial(base, someState());
    record.setClassMeans(ByteBuffer.allocate(0));

    assertThat(DomainStates.read(record, base).means()).isEqualTo(ClassMeans.NONE);
  }

  @Test
  void momentsInBFloat16TakeHalfTheBytesAndComeBackBitForBit() throws Exception {
    TrainingSettings settings =
        MiniLm.settings().domains().others().training().with(Moments.BFLOAT16);
    TrainingState state;
    try (Trainer trainer = new Trainer(base, settings, 1)) {
      List<TrainingExample> batch =
          List.of(new TrainingExample("a", "b", 1), new TrainingExample("c", "d", 1));
      state = trainer.step(trainer.initialState(), batch).state();
      state = trainer.step(state, batch).state();
    }

    DomainState read = throughFlink(DomainStates.initial(base, state));

    assertThat(read.getValuesSecondMoment().remaining())
        .isEqualTo(read.getValues().remaining() / 2);
    assertThat(read.getHeadFirstMoment().remaining()).isEqualTo(read.getHead().remaining() / 2);
    assertThat(DomainStates.read(read, base).sha256()).isEqualTo(state.sha256());
  }

  @Test
  void readingTwiceGivesTheSame() {
    DomainState record = DomainStates.initial(base, someState());

    assertThat(DomainStates.read(record, base).sha256())
        .isEqualTo(DomainStates.read(record, base).sha256());
  }

  @Test
  void writingLeavesWhatTheRecordHoldsBesides() {
    DomainState record = DomainStates.initial(base, someState());
    record.setVersion(3);
    record.setVersionSha256("abc");
    record.setTrainedThrough(List.of(new StreamPosition(0, 9L)));

    try (Trainer trainer = new Trainer(base, MiniLm.settings().domains().others().training(), 1)) {
      DomainStates.write(trainer.initialState(), record);
    }

    assertThat(record.getSteps()).isZero();
    assertThat(record.getVersion()).isEqualTo(3);
    assertThat(record.getVersionSha256()).isEqualTo("abc");
    assertThat(record.getTrainedThrough()).containsExactly(new StreamPosition(0, 9L));
  }

  @Test
  void stateOfAnotherBaseIsRefusedWithBothHashes() {
    DomainState record = DomainStates.initial(base, someState());
    record.setBaseSha256("0f");

    assertThatIllegalStateException()
        .isThrownBy(() -> DomainStates.read(record, base))
        .withMessageContaining("base model 0f, the one here is " + base.baseSha256());
  }

  @Test
  void positionsAdvancePerPartitionInTheirOrder() {
    List<StreamPosition> positions = List.of();
    positions = DomainStates.advance(positions, 3, 5);
    positions = DomainStates.advance(positions, 1, 7);
    positions = DomainStates.advance(positions, 3, 6);

    assertThat(positions).containsExactly(new StreamPosition(1, 7L), new StreamPosition(3, 6L));
  }

  private TrainingState someState() {
    float[] values = new float[77];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 7 == 0 ? -0f : 1f / i;
    }
    return new TrainingState(
        AdapterMethod.parse("svft:gradient:1"),
        List.of("x", "caf\u00e9"),
        new long[] {0, 11},
        new int[] {0, 5, 1 << 30},
        new float[] {0.5f, 3e-9f},
        new Parameters(values, values, values),
        Parameters.initial(new float[2 * 385]),
        MEANS,
        12,
        190);
  }

  private static DomainState throughFlink(DomainState record) throws Exception {
    TypeSerializer<DomainState> serializer =
        new AvroTypeInfo<>(DomainState.class).createSerializer(null);
    DataOutputSerializer out = new DataOutputSerializer(1 << 20);
    serializer.serialize(record, out);
    return serializer.deserialize(new DataInputDeserializer(out.getCopyOfBuffer()));
  }
}
