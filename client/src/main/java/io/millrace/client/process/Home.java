package io.millrace.client.process;

import java.nio.file.Path;

/** The directory where Millrace is installed: the source tree, or an image of it. */
public final class Home {
  /** System property with the directory; {@code bin/millrace} sets it. */
  static final String PROPERTY = "millrace.home";

  private Home() {}

  /** The directory; the current one if the property is not set. */
  public static Path directory() {
    return Path.of(System.getProperty(PROPERTY, "")).toAbsolutePath().normalize();
  }

  /** Where data goes unless the user says otherwise. */
  public static Path data() {
    return directory().resolve("data");
  }
}
