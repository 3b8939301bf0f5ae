package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.text.ShownText;
import org.apache.flink.configuration.ApplicationOptionsInternal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/**
 * The job as a program of Flink's: the entry class for {@code flink run}, for a cluster in
 * application mode, and for a {@code FlinkDeployment}. It takes {@code --config} and {@code --set}
 * as {@code millrace submit} does.
 *
 * <p>Where state comes from is Flink's to say: {@code -s}, {@code execution.state-recovery.path},
 * or its high availability, which runs this program again. So it neither looks for checkpoints nor
 * records the start. But a job that would train everything again for want of state fails, unless
 * {@code --from none} asks for it: a supervisor starts a cluster again also where Flink has
 * forgotten the state.
 */
public final class ApplicationJob {
  private static final Logger LOG = LoggerFactory.getLogger(ApplicationJob.class);

  /** Its options. */
  @Command(name = "the job")
  private static final class Arguments {
    @Option(names = "--from", paramLabel = "none")
    private String from;

    @Mixin private final SettingsOptions options = new SettingsOptions(FlinkJob.SETTINGS);
  }

  private ApplicationJob() {}

  /**
   * Submits the job to the cluster that runs the program.
   *
   * @throws UsageException where arguments, settings or topics are not right
   */
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    String name;
    try {
      name = define(environment, arguments(args));
    } catch (RuntimeException e) {
      if (hasStateToLose(environment.getConfiguration())) {
        LOG.error("The job cannot go on, its state is kept: {}", ShownText.of(e.getMessage()), e);
        System.exit(1);
      }
      throw e;
    }
    environment.execute(name);
  }

  /**
   * Whether the job manager ends with this program's failure and takes the state along that its
   * high availability knows, which a new job manager would have gone on from. Flink fixes an
   * application's id for that case alone.
   */
  private static boolean hasStateToLose(ReadableConfig cluster) {
    return cluster.getOptional(ApplicationOptionsInternal.FIXED_APPLICATION_ID).isPresent();
  }

  /** Adds the job; gives its name. */
  private static String define(StreamExecutionEnvironment environment, Arguments arguments)
      throws InterruptedException {
    Settings given = arguments.options.load();
    JobSettings.domains(given);
    Settings settings = RecordLimits.ofTopics(given);
    Connection connection = new Connection(settings);
    connection.serializer().close();
    ExampleTimestamps.check(settings).ifPresent(LOG::warn);
    JobTopics.require(connection);
    environment.configure(JobConfiguration.ofApplication(settings, environment.getConfiguration()));
    AdaptationJob.define(
        environment,
        settings,
        new ExampleRules(ExampleLimits.example(settings)),
        AdaptationJob.Input.UNBOUNDED,
        arguments.from == null ? AdaptationJob.Beginning.ONCE : AdaptationJob.Beginning.ANEW);
    return settings.get(JobSettings.GROUP);
  }

  private static Arguments arguments(String... args) {
    Arguments arguments = new Arguments();
    try {
      new CommandLine(arguments).parseArgs(args);
    } catch (ParameterException e) {
      throw new UsageException(e.getMessage(), e);
    }
    if (arguments.from != null && !arguments.from.equals(ChosenState.NONE)) {
      throw new UsageException(
          "--from: "
              + Setting.quoted(arguments.from)
              + " is not none; Flink's -s or execution.state-recovery.path names a state");
    }
    return arguments;
  }
}
