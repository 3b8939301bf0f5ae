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
 * Work that is to take what processor time the requests leave. Java's thread priorities do nothing
 * on Linux, whose threads have a nice value of their own: {@code renice} sets it, and everybody may
 * raise his own. Where that cannot be done, the threads run as any other.
 */
public final class BackgroundThreads {
  private static final Logger LOG = LoggerFactory.getLogger(BackgroundThreads.class);

  /** Links to {@code PID/task/TID} of whichever thread asks. */
  private static final Path SELF = Path.of("/proc/thread-self");

  private static final Path ALL = Path.of("/proc/self/task");

  /** How the threads of HotSpot's optimizing compiler are called; names end after 15 bytes. */
  private static final String COMPILER = "C2 CompilerThre";

  /** Only what nobody else wants. */
  private static final int NICEST = 19;

  /** A tenth of what a request's thread gets beside it. */
  private static final int NICE = 10;

  private static final int TIMEOUT_SECONDS = 5;

  private BackgroundThreads() {}

  /** Lets every other thread go before the current one, from now on. */
  static void beNice() {
    String name = Thread.currentThread().getName();
    try {
      renice(name, NICEST, List.of(Files.readSymbolicLink(SELF).getFileName().toString()));
    } catch (IOException e) {
      LOG.info("{} runs at the priority of requests: {}", name, e.toString());
    }
  }

  /**
   * Lets requests go before the optimizing compiler. It takes some tenths of a second for what only
   * runs when a version comes, which a machine with few processors would take from the requests.
   */
  public static void letCompilerBeNice() {
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
      return false; // It has ended meanwhile.
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
