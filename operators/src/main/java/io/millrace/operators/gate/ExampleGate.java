package io.millrace.operators.gate;

import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.metrics.DeadLetterMetrics;
import io.millrace.operators.metrics.JobMetrics;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import java.util.Optional;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * Passes on the examples that can be trained on, to training and to evidence. All others leave as
 * dead letters.
 */
public final class ExampleGate extends ProcessFunction<ReceivedExample, ReceivedExample> {
  private static final long serialVersionUID = 1;

  public static final OutputTag<OutgoingRecord> DEAD_LETTERS =
      new OutputTag<>("dead-letters", new AvroTypeInfo<>(OutgoingRecord.class));

  private final ExampleRules rules;
  private transient DeadLetterMetrics deadLetters;

  public ExampleGate(ExampleRules rules) {
    this.rules = rules;
  }

  @Override
  public void open(OpenContext context) {
    deadLetters = new DeadLetterMetrics(JobMetrics.of(getRuntimeContext().getMetricGroup()));
  }

  @Override
  public void processElement(
      ReceivedExample received, Context context, Collector<ReceivedExample> out) {
    Optional<RecordError> error =
        Optional.ofNullable(received.getError()).or(() -> rules.check(received.getExample()));
    if (error.isPresent()) {
      context.output(DEAD_LETTERS, OutgoingRecords.deadLetter(received, error.get()));
      deadLetters.add(error.get());
    } else {
      out.collect(received);
      context.output(Evidence.INPUT, Evidence.input(received));
    }
  }
}
