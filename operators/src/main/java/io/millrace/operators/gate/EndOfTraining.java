package io.millrace.operators.gate;

import java.io.IOException;
import java.util.BitSet;
import java.util.Optional;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.runtime.taskexecutor.GlobalAggregateManager;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.apache.flink.streaming.api.watermark.Watermark;

/**
 * What the tasks that read a bounded input and those that train tell each other at its end.
 *
 * <p>A task whose input has ended takes no checkpoint until it has done all that is left. With very
 * many domains much is left: each has an open batch. So the end comes in two parts. {@link
 * #INPUT_READ} says that no example will come. The tasks that train then do what is left between
 * checkpoints, and say here that they have. Only then does the source end.
 *
 * <p>A job that is drained has no first part: what is left is trained before its savepoint.
 *
 * <p>The JobMaster counts the tasks, as a global aggregate of Flink. After a restart of tasks it
 * may still count earlier ones: then the end goes by too early, and what is left is trained without
 * a checkpoint.
 */
public final class EndOfTraining {
  /** Comes before the end of time, and has the same meaning but one: checkpoints still follow. */
  public static final Watermark INPUT_READ =
      new Watermark(Watermark.MAX_WATERMARK.getTimestamp() - 1);

  private static final String NAME = "end-of-training";
  private static final int[] A_QUESTION = {};

  /** Of a task that reads the input; operators and readers of a task run in its thread. */
  private static final ThreadLocal<EndOfTraining> SHOWN = new ThreadLocal<>();

  private final StreamingRuntimeContext task;
  private final GlobalAggregateManager counts;

  public EndOfTraining(StreamingRuntimeContext task) {
    this.task = task;
    counts = task.getGlobalAggregateManager();
  }

  /** Lets the reader of this task's source see it. */
  static void show(StreamingRuntimeContext task) {
    SHOWN.set(new EndOfTraining(task));
  }

  static void hide() {
    SHOWN.remove();
  }

  /** Of the task whose thread calls; empty where the source has a task of its own. */
  public static Optional<EndOfTraining> ofThisTask() {
    return Optional.ofNullable(SHOWN.get());
  }

  /**
   * Says that this task has trained on all that came.
   *
   * @throws IOException if the JobMaster does not answer
   */
  public void reached() throws IOException {
    int index = task.getTaskInfo().getIndexOfThisSubtask();
    int tasks = task.getTaskInfo().getNumberOfParallelSubtasks();
    counts.updateGlobalAggregate(NAME, new int[] {index, tasks}, new TasksThatHave());
  }

  /**
   * Whether all tasks that train have said so.
   *
   * @throws IOException if the JobMaster does not answer
   */
  public boolean isReached() throws IOException {
    return counts.updateGlobalAggregate(NAME, A_QUESTION, new TasksThatHave());
  }

  /**
   * Counts tasks, each given as its index and the number of all. What crosses to the JobMaster is
   * of the JDK's classes, which Flink reads before it knows the job's.
   */
  static final class TasksThatHave implements AggregateFunction<int[], BitSet[], Boolean> {
    private static final long serialVersionUID = 1;

    /** The tasks that have; and those that exist, once one of them has said how many there are. */
    @Override
    public BitSet[] createAccumulator() {
      return new BitSet[] {new BitSet(), new BitSet()};
    }

    @Override
    public BitSet[] add(int[] said, BitSet[] tasks) {
      if (said.length == 0) {
        return tasks;
      }
      BitSet all = new BitSet();
      all.set(0, said[1]);
      BitSet have = all.equals(tasks[1]) ? tasks[0] : new BitSet();
      have.set(said[0]);
      return new BitSet[] {have, all};
    }

    @Override
    public Boolean getResult(BitSet[] tasks) {
      return !tasks[1].isEmpty() && tasks[0].equals(tasks[1]);
    }

    @Override
    public BitSet[] merge(BitSet[] one, BitSet[] other) {
      throw new UnsupportedOperationException("the JobMaster adds one task after the other");
    }
  }
}
