package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.settings.JobSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Settings of a job on this machine, with the tests' base models. */
final class JobTestSettings {
  private JobTestSettings() {}

  static Settings of(String... sets) {
    List<Setting<?>> known =
        Stream.of(
                JobSettings.ALL,
                EmbeddedStack.SETTINGS,
                ExampleLimits.SETTINGS,
                Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    List<String> all = new ArrayList<>(List.of(sets));
    all.add("model.store=" + System.getProperty("millrace.test.models"));
    return Settings.of(known, null, all);
  }
}
