package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Setting;
import io.millrace.pipeline.ComposeFile;
import io.millrace.pipeline.settings.JobSettings;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.ExternalResourceOptions;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.metrics.prometheus.PrometheusReporterFactory;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobmanager.JobManagerProcessUtils;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Holds docker/flink/config.yaml, and what docker-compose.yml adds to it, against Flink. */
@Tag("unit")
class FlinkImageTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));
  private static final String REPORTER = "metrics.reporter.prom.";

  private static ComposeFile compose;

  @BeforeAll
  static void read() throws Exception {
    compose = ComposeFile.read("docker-compose.yml");
  }

  @Test
  void flinkKnowsEveryOptionAndTakesItsValue() throws Exception {
    Map<String, ConfigOption<?>> known = knownOptions();
    for (String service : List.of("jobmanager", "taskmanager", "taskmanager-gpu")) {
      Configuration configuration = configuration(service);

      assertThat(known.keySet()).containsAll(configuration.keySet());
      for (String key : configuration.keySet()) {
        assertThat(configuration.getOptional(known.get(key))).as(key).isPresent();
      }
    }
  }

  @Test
  void theProcessesFitTheirMemory() throws Exception {
    Configuration jobManager = configuration("jobmanager");
    TaskExecutorProcessSpec cpu =
        TaskExecutorProcessUtils.processSpecFromConfig(configuration("taskmanager"));

    assertThat(JobManagerProcessUtils.processSpecFromConfig(jobManager).getTotalProcessMemorySize())
        .isEqualTo(MemorySize.parse("1g"));
    assertThat(cpu.getTotalProcessMemorySize()).isEqualTo(MemorySize.parse("3136m"));
    assertThat(compose.memoryLimit("jobmanager")).isGreaterThan(1024);
    assertThat(compose.memoryLimit("taskmanager")).isGreaterThan(3136);
  }

  /** It is a plugin of the distribution; the tests have it from Maven. */
  @Test
  void theReporterForPrometheusIsThere() throws Exception {
    Configuration configuration = configuration("taskmanager");

    assertThat(configuration.get(MetricOptions.REPORTERS_LIST)).isEqualTo("prom");
    assertThat(configuration.getString(REPORTER + "factory.class", ""))
        .isEqualTo(PrometheusReporterFactory.class.getName());
  }

  @Test
  void aTrainingSlotFitsTheTaskManagerWithAGpu() throws Exception {
    TaskExecutorProcessSpec gpu =
        TaskExecutorProcessUtils.processSpecFromConfig(configuration("taskmanager-gpu"));

    assertThat(gpu.getExtendedResources()).containsOnlyKeys("gpu");
    assertThat(gpu.getCpuCores().getValue().doubleValue())
        .isGreaterThanOrEqualTo(JobSettings.SLOT_CPU_CORES.defaultValue());
    assertThat(gpu.getTaskHeapSize()).isGreaterThan(mebibytes(JobSettings.SLOT_HEAP_MIB));
    assertThat(gpu.getTaskOffHeapSize()).isGreaterThan(mebibytes(JobSettings.SLOT_OFF_HEAP_MIB));
    assertThat(gpu.getManagedMemorySize()).isGreaterThan(mebibytes(JobSettings.SLOT_MANAGED_MIB));
    assertThat(compose.memoryLimit("taskmanager-gpu"))
        .isGreaterThan(gpu.getTotalProcessMemorySize().getMebiBytes());
  }

  /** The file's options, and over them those on the service's command line. */
  private static Configuration configuration(String service) throws IOException {
    Configuration dynamic = new Configuration();
    for (String argument : compose.<String>list(service, "command")) {
      if (argument.startsWith("-D")) {
        String[] option = argument.substring(2).split("=", 2);
        dynamic.setString(option[0], option[1]);
      }
    }
    return GlobalConfiguration.loadConfiguration(HOME.resolve("docker/flink").toString(), dynamic);
  }

  private static Map<String, ConfigOption<?>> knownOptions() throws IllegalAccessException {
    Map<String, ConfigOption<?>> options = new TreeMap<>();
    for (Class<?> type :
        List.of(
            CoreOptions.class,
            JobManagerOptions.class,
            TaskManagerOptions.class,
            MetricOptions.class,
            RestOptions.class,
            WebOptions.class)) {
      for (Field field : type.getFields()) {
        if (field.get(null) instanceof ConfigOption<?> option) {
          options.put(option.key(), option);
        }
      }
    }
    for (ConfigOption<?> option :
        List.of(
            ExternalResourceOptions.EXTERNAL_RESOURCE_LIST,
            ConfigOptions.key(REPORTER + "factory.class").stringType().noDefaultValue(),
            ConfigOptions.key(REPORTER + "port").intType().noDefaultValue(),
            ConfigOptions.key(REPORTER + "filterLabelValueCharacters")
                .booleanType()
                .noDefaultValue(),
            ConfigOptions.key(ExternalResourceOptions.getAmountConfigOptionForResource("gpu"))
                .longType()
                .noDefaultValue(),
            ConfigOptions.key(
                    ExternalResourceOptions.getExternalResourceDriverFactoryConfigOptionForResource(
                        "gpu"))
                .stringType()
                .noDefaultValue())) {
      options.put(option.key(), option);
    }
    return options;
  }

  private static MemorySize mebibytes(Setting<Integer> setting) {
    return MemorySize.ofMebiBytes(setting.defaultValue());
  }
}
