package io.millrace.client.process;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** Which version of Millrace was built. */
public final class BuildVersion {
  private static final String RESOURCE = "build.properties";

  private BuildVersion() {}

  /** The version of the build, such as {@code 1.2.3} or {@code 1.2.4-SNAPSHOT}. */
  public static String text() {
    Properties properties = new Properties();
    try (InputStream in = BuildVersion.class.getResourceAsStream(RESOURCE)) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + RESOURCE, e);
    }
    return properties.getProperty("version");
  }
}
