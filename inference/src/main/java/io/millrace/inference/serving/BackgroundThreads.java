package io.millrace.inference.serving;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lowers the priority of threads below that of requests. Java's thread priorities have no effect on
 * Linux, where each thread has a nice value: {@code renice} sets it, and a process may raise its
 * own values. Where that fails, the threads run as all others.
 */
public final class BackgroundThreads {
  private static final Logger LOG = LoggerFactory.getLogger(BackgroundThreads.class);

  /** A link to {@code PID/task/TID} of the thread that reads it. */
  private static final Path SELF = Path.of("/proc/thread-self");

  private static final Path ALL = Path.of("/proc/self/task");

  /** The name of the threads of HotSpot's optimizing compiler, cut after 15 bytes. */
  private static final String COMPILER = "C2 CompilerThre";

  /** Runs only when no other thread wants the processor. */
  private static final int NICEST = 19;

  /** Gets a tenth of the time of a request's thread beside it. */
  private static final int NICE = 10;

  private static final int TIMEOUT_SECONDS = 5;

  private BackgroundThreads() {}

  /** Gives the current thread the lowest priority, from now on. */
  static void lowerOwnPriority() {
    String name = Thread.currentThread().getName();
    try {
      renice(name, NICEST, List.of(Files.readSymbolicLink(SELF).getFileName().toString()));
    } catch (IOException e) {
      LOG.info("{} runs at the priority of requests: {}", name, e.toString());
    }
  }

  /**
   * Gives the optimizing compiler a lower priority than requests. It compiles for some tenths of a
   * second when a version arrives, and would delay requests on a machine with few processors.
   */
  public static void lowerCompilerPriority() {
    List<String> threads = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(ALL)) {
      for (Path thread : all) {
        if (isCompiler(thread)) {
          threads.add(thread.getFileName().toString());
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      LOG.info("the compiler runs at the priority of requests: {}", e.toString());
      return;
    }
    if (!threads.isEmpty()) {
      renice("the compiler", NICE, threads);
    }
  }

  private static boolean isCompiler(Path thread) {
    try {
      return Files.readString(thread.resolve("comm")).strip().equals(COMPILER);
    } catch (IOException e) {
      return false; // The thread has ended.
    }
  }

  private static void renice(String what, int nice, List<String> threads) {
    List<String> command = new ArrayList<>(List.of("renice", "-n", String.valueOf(nice), "-p"));
    command.addAll(threads);
    try {
      Process renice =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (!renice.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS) || renice.exitValue() != 0) {
        renice.destroy();
        LOG.info("{} runs at the priority of requests", what);
      }
    } catch (IOException | UnsupportedOperationException e) {
      LOG.info("{} runs at the priority of requests: {}", what, e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
