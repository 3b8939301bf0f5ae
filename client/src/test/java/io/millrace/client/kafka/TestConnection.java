package io.millrace.client.kafka;

import io.millrace.client.settings.Settings;
import io.millrace.testing.ApicurioRegistry;
import java.util.ArrayList;
import java.util.List;

/** The connection of a process that uses a registry of the tests. */
final class TestConnection {
  private TestConnection() {}

  /**
   * Connects to {@code registry}.
   *
   * @param sets more settings: {@code key=value}
   */
  static Connection to(ApicurioRegistry registry, String... sets) {
    List<String> all = new ArrayList<>(List.of(sets));
    all.add("schema.registry.url=" + registry.url());
    return new Connection(Settings.of(Connection.SETTINGS, null, all));
  }
}
