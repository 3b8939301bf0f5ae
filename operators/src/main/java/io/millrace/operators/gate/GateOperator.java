package io.millrace.operators.gate;

import io.millrace.schemas.ReceivedExample;
import org.apache.flink.streaming.api.operators.ProcessOperator;

/**
 * Runs an {@link ExampleGate}, and lets the source's reader see the {@link EndOfTraining}, of which
 * Flink tells an operator alone. Both run in one task: Flink chains this operator to the source, as
 * they have the same parallelism.
 */
public final class GateOperator extends ProcessOperator<ReceivedExample, ReceivedExample> {
  private static final long serialVersionUID = 1;

  public GateOperator(ExampleRules rules) {
    super(new ExampleGate(rules));
  }

  @Override
  public void open() throws Exception {
    super.open();
    EndOfTraining.show(getRuntimeContext());
  }

  @Override
  public void close() throws Exception {
    EndOfTraining.hide();
    super.close();
  }
}
