package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.process.JavaHeap;
import io.millrace.benchmarks.process.MillraceProcess;
import io.millrace.benchmarks.process.ResidentMemory;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A training in a process of its own that is killed in the middle, as by {@code kill -9}, and
 * started again; with its memory and its checkpoints all the time.
 */
final class KilledTraining {
  private static final Duration LOOK_EVERY = Duration.ofMillis(200);
  private static final Pattern TRAINED = Pattern.compile("Training: ([\\d,]+) of .*");

  /**
   * A look at the process.
   *
   * @param run 1, or 2 after the kill
   * @param seconds since the run began
   * @param trained examples on record, as the process has said last
   * @param heap bytes of the Java heap in use after a full collection
   * @param resident bytes
   * @param checkpoints bytes of the files that checkpoints have
   */
  record Look(int run, double seconds, long trained, long heap, long resident, long checkpoints) {}

  private final Path home;
  private final List<String> arguments;
  private final Map<String, String> environment;
  private final CheckpointFiles checkpoints;
  private final Duration memoryEvery;
  private final Consumer<String> progress;
  private final List<Look> looks = new ArrayList<>();
  private volatile long trained;
  private volatile int exitCode;

  /**
   * @param home the directory with {@code bin/millrace}
   * @param arguments of the command
   * @param environment variables of the process
   * @param checkpoints of the job
   * @param memoryEvery how often memory is looked at, with a full collection
   * @param progress takes lines for people
   */
  KilledTraining(
      Path home,
      List<String> arguments,
      Map<String, String> environment,
      CheckpointFiles checkpoints,
      Duration memoryEvery,
      Consumer<String> progress) {
    this.home = home;
    this.arguments = arguments;
    this.environment = environment;
    this.checkpoints = checkpoints;
    this.memoryEvery = memoryEvery;
    this.progress = progress;
  }

  /**
   * Runs it twice.
   *
   * @param middle whether the first run is to be killed now
   * @throws IllegalStateException where the first run ends before it is killed, or the second fails
   */
  void run(Predicate<KilledTraining> middle) throws InterruptedException {
    progress.accept("first run");
    try (MillraceProcess process = start()) {
      if (!follow(process, 1, middle)) {
        throw new IllegalStateException(
            "the training ended before it could be killed: %s"
                .formatted(said(process, "take more examples")));
      }
    }
    progress.accept("killed after %,d examples; second run".formatted(trained));
    try (MillraceProcess process = start()) {
      follow(process, 2, never -> false);
      if (exitCode != 0) {
        throw new IllegalStateException(
            "the training that went on failed: " + said(process, "its exit code is " + exitCode));
      }
    }
  }

  private MillraceProcess start() {
    return MillraceProcess.start(home, environment, arguments);
  }

  private static String said(MillraceProcess process, String otherwise) {
    return process.failure().isEmpty() ? otherwise : process.failure();
  }

  /** Looks at the process until it ends, or has been killed, which it tells. */
  private boolean follow(MillraceProcess process, int run, Predicate<KilledTraining> middle)
      throws InterruptedException {
    Thread output = new Thread(() -> read(process), "training-output");
    output.setDaemon(true);
    output.start();
    long begun = System.nanoTime();
    long memoryAt = begun + memoryEvery.toNanos();
    while (process.handle().isAlive()) {
      checkpoints.look();
      if (middle.test(this)) {
        process.kill();
        output.join();
        return true;
      }
      if (System.nanoTime() >= memoryAt) {
        lookAtMemory(process.handle(), run, (System.nanoTime() - begun) / 1e9);
        memoryAt = System.nanoTime() + memoryEvery.toNanos();
      }
      output.join(LOOK_EVERY.toMillis());
    }
    output.join();
    return false;
  }

  private void read(MillraceProcess process) {
    try {
      exitCode =
          process.await(
              line -> {
                Matcher reached = TRAINED.matcher(line);
                if (reached.matches()) {
                  trained = Long.parseLong(reached.group(1).replace(",", ""));
                }
                progress.accept("  " + line);
              });
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void lookAtMemory(ProcessHandle process, int run, double seconds)
      throws InterruptedException {
    try {
      long heap = JavaHeap.usedBytes(process);
      looks.add(
          new Look(run, seconds, trained, heap, ResidentMemory.bytes(process), checkpoints.size()));
    } catch (IOException e) {
      progress.accept("no look at the heap: the process is starting or ending");
    }
  }

  /** Examples on record, as the process has said last: it does every five seconds. */
  long trained() {
    return trained;
  }

  /** The files of its checkpoints. */
  CheckpointFiles checkpoints() {
    return checkpoints;
  }

  /** In order. */
  List<Look> looks() {
    return looks;
  }
}
