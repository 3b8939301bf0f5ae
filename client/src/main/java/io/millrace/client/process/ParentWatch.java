package io.millrace.client.process;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;

/**
 * Runs a main class in a child process that never outlives its parent: {@code java -cp ...
 * io.millrace.client.process.ParentWatch MAIN_CLASS [ARGUMENTS]}, with its standard input a pipe
 * from the parent. The pipe ends when the parent does, also when it was killed and could clean up
 * nothing.
 */
public final class ParentWatch {
  /** As a shell reports a process ended by SIGTERM. */
  private static final int TERMINATED = 143;

  private ParentWatch() {}

  public static void main(String[] args) throws Throwable {
    Thread watch = new Thread(ParentWatch::haltWithParent, "parent-watch");
    watch.setDaemon(true);
    watch.start();
    String[] rest = Arrays.copyOfRange(args, 1, args.length);
    try {
      Class.forName(args[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static void haltWithParent() {
    try {
      while (System.in.read() >= 0) {
        // The parent sends nothing; only the end of the stream matters.
      }
    } catch (IOException e) {
      // A broken pipe is an end too.
    }
    // Not exit: shutdown hooks may wait for the parent that is gone.
    Runtime.getRuntime().halt(TERMINATED);
  }
}
