package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Examples that wait for their batch, once in state. */
@Tag("unit")
class StoredExampleTest {
  @Test
  void stateHoldsTextAndMetadataOnce() throws Exception {
    ReceivedExample received = received("t\u00e9xt ".repeat(8000), "m".repeat(60_000));
    int raw = received.getValue().remaining();

    ReceivedExample stored = StoredExample.pack(received);

    assertThat(bytes(stored).length).isBetween(raw, raw + 200);
    assertThat(StoredExample.unpack(stored).getExample().getText())
        .isEqualTo(received.getExample().getText());
  }

  @Test
  void aTextThatItsRecordDoesNotShowIsKept() throws Exception {
    ReceivedExample received = received("plain", "m");
    received.setValue(Received.bytes("compressed, say"));

    assertThat(StoredExample.unpack(StoredExample.pack(received)).getExample().getText())
        .isEqualTo("plain");
  }

  /** Otherwise the search would take hours. */
  @Test
  void aTextThatIsHardToFindIsKept() throws Exception {
    ReceivedExample received = received("a".repeat(60_000) + "b", "a".repeat(900_000));

    ReceivedExample stored = StoredExample.pack(received);

    assertThat(StoredExample.unpack(stored).getExample().getText()).endsWith("ab");
  }

  @Test
  void trainingAndDeadLettersAreTheSame() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings());
        AdaptHarness other = AdaptHarness.start(MiniLm.settings())) {
      for (int offset = 0; offset < 4; offset++) {
        ReceivedExample received = received("example " + offset, "metadata");
        received.setOffset((long) offset);
        adapt.receive(received);
        received.setValue(Received.bytes("without"));
        other.receive(received);
      }

      assertThat(adapt.steps())
          .extracting(TrainingStep::getStateSha256, TrainingStep::getBatchSha256)
          .isEqualTo(
              other.steps().stream()
                  .map(step -> tuple(step.getStateSha256(), step.getBatchSha256()))
                  .toList());
    }
  }

  @Test
  void aDeadLetterHoldsTheRecordAsItCame() throws Exception {
    ReceivedExample received = received("not finite", "metadata");
    received.getExample().setWeight(Float.NaN);
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      for (int i = 0; i < 4; i++) {
        adapt.receive(received);
      }

      OutgoingRecord letter = adapt.deadLetters().get(3);
      assertThat(letter.getHeaders())
          .containsEntry(Topics.DEAD_LETTER_ERROR_CLASS, "NonFiniteStep");
      assertThat(letter.getValue()).isEqualTo(received.getValue());
    }
  }

  private static ReceivedExample received(String text, String metadata) throws IOException {
    LabeledExample example =
        new LabeledExample("id", "a", text, "positive", null, 1f, Map.of("source", metadata));
    ReceivedExample received = Received.example("a", 0, 0, 0);
    received.setExample(example);
    received.setValue(ByteBuffer.wrap(bytes(example)));
    return received;
  }

  private static byte[] bytes(SpecificRecord record) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(new byte[] {0, 0, 0, 0, 7});
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
    new SpecificDatumWriter<SpecificRecord>(record.getSchema()).write(record, encoder);
    encoder.flush();
    return out.toByteArray();
  }
}
