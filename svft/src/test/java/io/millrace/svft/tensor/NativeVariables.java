package io.millrace.svft.tensor;

/** Sets variables of this process that native libraries read, after {@link Torch#use} did. */
public final class NativeVariables {
  private NativeVariables() {}

  /**
   * @param assignments such as {@code MKL_CBWR=AVX2}, separated by commas
   */
  public static void set(String assignments) {
    for (String assignment : assignments.split(",")) {
      String[] pair = assignment.split("=");
      if (pair.length == 2) {
        NativeEnvironment.set(pair[0], pair[1]);
      }
    }
  }
}
