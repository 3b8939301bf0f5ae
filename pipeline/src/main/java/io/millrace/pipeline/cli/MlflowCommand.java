package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.mlflow.MlflowMirror;
import io.millrace.pipeline.mlflow.MlflowSettings;
import java.net.URI;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Mirrors versions and rollouts to MLflow. */
@Command(
    name = "mlflow",
    description = {
      "Show versions, and which of them serve, in a model registry of MLflow.",
      "Each domain is a registered model there, each version a version with its hash as tag; the"
          + " aliases stable and candidate point at what the rollout names. What is changed in"
          + " MLflow changes nothing here."
    })
final class MlflowCommand implements Callable<Integer> {
  private static final List<Setting<?>> SETTINGS =
      Stream.of(MlflowSettings.ALL, Connection.SETTINGS).<Setting<?>>flatMap(List::stream).toList();

  @Option(
      names = "--once",
      description = "End when MLflow shows what the topics hold now; otherwise go on.")
  private boolean once;

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Override
  public Integer call() throws InterruptedException {
    Settings settings = options.load();
    URI uri = MlflowSettings.uri(settings);
    Optional<String> authorization = MlflowSettings.authorization(settings);
    try (StopSignal stop = StopSignal.install();
        MlflowMirror mirror =
            new MlflowMirror(
                new Connection(settings),
                uri,
                authorization,
                settings.get(MlflowSettings.PREFIX),
                settings.get(MlflowSettings.GROUP),
                stop.requested(),
                output::progress)) {
      MlflowMirror.Totals done = mirror.run(once);
      output.say(
          "%d versions and %d aliases written to MLflow, %d left out"
              .formatted(done.versions(), done.aliases(), done.refused()));
      output.json(
          () ->
              Json.object()
                  .put("versions", done.versions())
                  .put("aliases", done.aliases())
                  .put("leftOut", done.refused()));
      return 0;
    }
  }
}
