package io.millrace.operators.gate;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.Received;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.Topics;
import java.util.Map;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.operators.ProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ExampleGateTest {
  private OneInputStreamOperatorTestHarness<ReceivedExample, ReceivedExample> gate;

  @BeforeEach
  void open() throws Exception {
    gate =
        new OneInputStreamOperatorTestHarness<>(
            new ProcessOperator<>(new ExampleGate(new ExampleRules(ExampleRules.Limits.DEFAULT))));
    gate.setup(new AvroTypeInfo<>(ReceivedExample.class).createSerializer(null));
    gate.open();
  }

  @AfterEach
  void close() throws Exception {
    gate.close();
  }

  @Test
  void aGoodExamplePassesAsItCame() throws Exception {
    ReceivedExample good = Received.example("a", 2, 7, 0);
    gate.processElement(good, 0);

    assertThat(gate.extractOutputValues()).containsExactly(good);
    assertThat(gate.getSideOutput(ExampleGate.DEAD_LETTERS)).isNull();
  }

  @Test
  void anExampleThatBreaksARuleLeavesAsTheBytesItCameAs() throws Exception {
    ReceivedExample bad = Received.example("a", 2, 7, 0);
    bad.getExample().setText(" ");
    gate.processElement(bad, 0);

    assertThat(gate.extractOutputValues()).isEmpty();
    OutgoingRecord letter = onlyLetter();
    assertThat(letter.getTopic()).isEqualTo(Topics.DEAD_LETTERS);
    assertThat(letter.getRoute()).isEqualTo("labeled-examples-2");
    assertThat(letter.getKey()).isEqualTo(Received.bytes("a"));
    assertThat(letter.getValue()).isEqualTo(Received.bytes("value 7"));
    assertThat(letter.getHeaders())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                Topics.DEAD_LETTER_TOPIC, "labeled-examples",
                Topics.DEAD_LETTER_PARTITION, "2",
                Topics.DEAD_LETTER_OFFSET, "7",
                Topics.DEAD_LETTER_ERROR_CLASS, "BlankText",
                Topics.DEAD_LETTER_ERROR_MESSAGE, "text is blank"));
  }

  @Test
  void aRecordThatCouldNotBeReadKeepsTheReasonTheReaderGave() throws Exception {
    ReceivedExample unreadable = Received.example("a", 0, 1, 0);
    unreadable.setExample(null);
    unreadable.setError(new RecordError("UnreadableRecord", "the magic byte is 9"));
    gate.processElement(unreadable, 0);

    assertThat(gate.extractOutputValues()).isEmpty();
    assertThat(onlyLetter().getHeaders())
        .containsEntry(Topics.DEAD_LETTER_ERROR_CLASS, "UnreadableRecord")
        .containsEntry(Topics.DEAD_LETTER_ERROR_MESSAGE, "the magic byte is 9");
  }

  @Test
  void aTombstoneIsADeadLetterWithoutBytes() throws Exception {
    ReceivedExample tombstone = Received.example("a", 0, 1, 0);
    tombstone.setKey(null);
    tombstone.setValue(null);
    tombstone.setExample(null);
    tombstone.setError(new RecordError("NullValue", "the record has no value"));
    gate.processElement(tombstone, 0);

    assertThat(onlyLetter().getKey()).isNull();
    assertThat(onlyLetter().getValue()).isNull();
  }

  private OutgoingRecord onlyLetter() {
    assertThat(gate.getSideOutput(ExampleGate.DEAD_LETTERS)).hasSize(1);
    StreamRecord<OutgoingRecord> letter = gate.getSideOutput(ExampleGate.DEAD_LETTERS).peek();
    return letter.getValue();
  }
}
