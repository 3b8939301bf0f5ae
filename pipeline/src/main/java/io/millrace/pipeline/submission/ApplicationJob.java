package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.settings.JobSettings;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.ParameterException;

/**
 * The job as a program of Flink's: the entry class for {@code flink run}, for a cluster in
 * application mode, and for a {@code FlinkDeployment}. It takes {@code --config} and {@code --set}
 * as {@code millrace submit} does.
 *
 * <p>Where state comes from is Flink's to say: {@code -s}, {@code execution.state-recovery.path},
 * or its high availability, which runs this program again. So it neither looks for checkpoints nor
 * records the start.
 */
public final class ApplicationJob {
  private static final Logger LOG = LoggerFactory.getLogger(ApplicationJob.class);

  /** Its options. */
  @Command(name = "the job")
  private static final class Arguments {
    @Mixin private final SettingsOptions options = new SettingsOptions(FlinkJob.SETTINGS);
  }

  private ApplicationJob() {}

  /**
   * Submits the job to the cluster that runs the program.
   *
   * @throws UsageException where arguments, settings or topics are not right
   */
  public static void main(String[] args) throws Exception {
    Settings settings = RecordLimits.ofTopics(settings(args));
    Connection connection = new Connection(settings);
    connection.serializer().close();
    ExampleTimestamps.check(settings).ifPresent(LOG::warn);
    JobTopics.require(connection);
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.configure(JobConfiguration.ofApplication(settings, environment.getConfiguration()));
    AdaptationJob.define(
        environment,
        settings,
        new ExampleRules(ExampleLimits.example(settings)),
        AdaptationJob.Input.UNBOUNDED);
    environment.execute(settings.get(JobSettings.GROUP));
  }

  private static Settings settings(String... args) {
    Arguments arguments = new Arguments();
    try {
      new CommandLine(arguments).parseArgs(args);
    } catch (ParameterException e) {
      throw new UsageException(e.getMessage(), e);
    }
    Settings settings = arguments.options.load();
    JobSettings.method(settings);
    return settings;
  }
}
