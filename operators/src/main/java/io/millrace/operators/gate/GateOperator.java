package io.millrace.operators.gate;

import io.millrace.schemas.ReceivedExample;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.ProcessOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;

/**
 * Runs an {@link ExampleGate}, and holds the end of the input back until all that came has been
 * trained on: {@link EndOfTraining} says why.
 *
 * <p>While it waits, its task takes checkpoints. That is so only in the task of the source, which
 * is told of them by the JobMaster; in any other a checkpoint comes through the input, behind its
 * end. Flink chains this operator to the source, as they have the same parallelism.
 */
public final class GateOperator extends ProcessOperator<ReceivedExample, ReceivedExample>
    implements BoundedOneInput {
  private static final long serialVersionUID = 1;

  /** Milliseconds from one question to the next: twice the last, up to the longest. */
  private static final long SHORTEST = 5;

  private static final long LONGEST = 500;

  private transient MailboxExecutor otherWork;
  private transient EndOfTraining end;
  private transient boolean inputRead;
  private transient boolean trained;
  private transient long pause;

  public GateOperator(ExampleRules rules) {
    super(new ExampleGate(rules));
  }

  @Override
  public void open() throws Exception {
    super.open();
    // Of any priority: a checkpoint has the lowest.
    otherWork =
        getContainingTask().getMailboxExecutorFactory().createExecutor(TaskMailbox.MIN_PRIORITY);
    end = new EndOfTraining(getRuntimeContext());
    pause = SHORTEST;
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (mark.equals(Watermark.MAX_WATERMARK)) {
      inputRead = true;
      super.processWatermark(EndOfTraining.INPUT_READ);
    } else {
      super.processWatermark(mark);
    }
  }

  @Override
  public void endInput() throws Exception {
    if (!inputRead) {
      return;
    }
    ask();
    while (!trained) {
      otherWork.yield();
    }
    super.processWatermark(Watermark.MAX_WATERMARK);
  }

  private void ask() throws Exception {
    trained = end.isReached();
    if (!trained) {
      long now = getProcessingTimeService().getCurrentProcessingTime();
      getProcessingTimeService().registerTimer(now + pause, at -> ask());
      pause = Math.min(2 * pause, LONGEST);
    }
  }
}
