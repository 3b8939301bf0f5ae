package io.millrace.pipeline.console;

import io.millrace.client.settings.SettingsOptions;
import io.millrace.schemas.text.ShownText;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows the progress of a long task on standard error: a bar if that is a terminal, otherwise a
 * line every few seconds, and nothing where the user wants to see none. For one thread.
 *
 * <pre>{@code
 * try (Progress progress = Progress.start("Sending", total, "lines")) {
 *   progress.at(n);
 * }
 * }</pre>
 */
public abstract class Progress implements AutoCloseable {
  /** System property with the terminal's width, set where standard error is a terminal. */
  static final String TERMINAL_COLUMNS = "millrace.terminal.columns";

  private static final Duration BETWEEN_LINES = Duration.ofSeconds(5);
  private static final Duration BEFORE_BAR = Duration.ofMillis(500);
  private static final int NARROWEST = 40;

  private Progress() {}

  /**
   * Starts at 0.
   *
   * @param task the task's name, such as {@code Sending}
   * @param total the final count, or -1 if it is unknown
   * @param unit what is counted, in the plural
   */
  public static Progress start(String task, long total, String unit) {
    return start(ShownText.of(task), total, unit, 1);
  }

  /** As {@link #start}, counting bytes and showing KiB or MiB. */
  public static Progress ofBytes(String task, long total) {
    return total < 10 * 1024 * 1024
        ? start(task, total, "KiB", 1024)
        : start(task, total, "MiB", 1024 * 1024);
  }

  /** Shows that {@code count} is reached. */
  public final void at(long count) {
    at(count, "");
  }

  /** Says that {@code count} is reached, with a short note beside it. */
  public final void at(long count, String note) {
    show(count, ShownText.of(note));
  }

  /** Prints another message, on a line of its own. */
  public final void say(String line) {
    print(ShownText.of(line));
  }

  abstract void show(long count, String note);

  abstract void print(String line);

  /** Ends the bar at the count that was reached. */
  @Override
  public abstract void close();

  private static Progress start(String task, long total, String unit, long unitSize) {
    if (SettingsOptions.isQuiet()) {
      return new Silence();
    }
    Integer columns = Integer.getInteger(TERMINAL_COLUMNS);
    return columns != null && columns >= NARROWEST
        ? new Bar(task, total, unit, unitSize, columns)
        : new Lines(task, total, unit, unitSize, BETWEEN_LINES, System.err);
  }

  /** The bar. It appears only when the task has taken a moment: short tasks stay silent. */
  private static final class Bar extends Progress {
    private final ProgressBarBuilder builder;
    private final int columns;
    private final long start = System.nanoTime();
    private ProgressBar bar;

    Bar(String task, long total, String unit, long unitSize, int columns) {
      this.columns = columns;
      builder =
          new ProgressBarBuilder()
              .setTaskName(task)
              .setInitialMax(total)
              .setUnit(" " + unit, unitSize)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(200)
              // Given the width, the library does not ask the terminal, which starts processes.
              .setConsumer(new ConsoleProgressBarConsumer(System.err, columns - 1));
    }

    @Override
    void show(long count, String note) {
      Duration taken = Duration.ofNanos(System.nanoTime() - start);
      if (bar == null && taken.compareTo(BEFORE_BAR) >= 0) {
        bar = builder.startsFrom(0, taken).build();
      }
      if (bar != null) {
        bar.setExtraMessage(note);
        bar.stepTo(count);
      }
    }

    /** Over the bar, which is drawn again below. */
    @Override
    void print(String line) {
      System.err.println(
          bar == null ? line : "\r" + line + " ".repeat(Math.max(0, columns - 1 - line.length())));
    }

    @Override
    public void close() {
      if (bar != null) {
        bar.close();
      }
    }
  }

  /** Shows nothing but what must be said. */
  private static final class Silence extends Progress {
    @Override
    void show(long count, String note) {}

    @Override
    void print(String line) {
      System.err.println(line);
    }

    @Override
    public void close() {}
  }

  /** The plain lines. */
  static final class Lines extends Progress {
    private final String task;
    private final long total;
    private final String unit;
    private final long unitSize;
    private final long between;
    private final PrintStream out;
    private long last = System.nanoTime();

    Lines(String task, long total, String unit, long unitSize, Duration between, PrintStream out) {
      this.task = task;
      this.total = total;
      this.unit = unit;
      this.unitSize = unitSize;
      this.between = between.toNanos();
      this.out = out;
    }

    @Override
    void show(long count, String note) {
      long now = System.nanoTime();
      if (now - last < between) {
        return;
      }
      last = now;
      String reached = String.format(Locale.ROOT, "%s: %,d", task, count / unitSize);
      String share =
          total > 0
              ? String.format(
                  Locale.ROOT, " of %,d %s (%d%%)", total / unitSize, unit, 100 * count / total)
              : " " + unit;
      out.println(reached + share + (note.isEmpty() ? "" : ", " + note));
    }

    @Override
    void print(String line) {
      out.println(line);
    }

    @Override
    public void close() {
      out.flush();
    }
  }
}
