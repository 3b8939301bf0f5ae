package io.millrace.svft.tensor;

import com.sun.jna.NativeLibrary;

/**
 * The environment variables that native libraries of this process read. {@link System#getenv} shows
 * those with which the process started.
 */
final class NativeEnvironment {
  private static final NativeLibrary LIBC = NativeLibrary.getInstance("c");

  private NativeEnvironment() {}

  static void set(String name, String value) {
    call("setenv", name, value, 1);
  }

  static void remove(String name) {
    call("unsetenv", name);
  }

  private static void call(String function, Object... arguments) {
    if (LIBC.getFunction(function).invokeInt(arguments) != 0) {
      throw new IllegalStateException(function + " refuses " + arguments[0]);
    }
  }
}
