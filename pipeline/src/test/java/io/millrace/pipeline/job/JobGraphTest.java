package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.input.ExampleLimits;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What Flink's REST interface and its page show of a job. */
@Tag("unit")
class JobGraphTest {
  @Test
  void noSecretIsInItsPlanItsNamesOrItsConfiguration() throws Exception {
    Settings settings =
        JobTestSettings.of(
            "kafka.security.protocol=SASL_SSL",
            "kafka.sasl.mechanism=PLAIN",
            "kafka.sasl.jaas.config=s3cret-jaas",
            "kafka.ssl.truststore.password=s3cret-trust",
            "schema.registry.basic.auth.user.info=ada:s3cret-registry",
            "rollout.policy=canary");
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment();
    AdaptationJob.define(
        environment,
        settings,
        new ExampleRules(ExampleLimits.example(settings)),
        AdaptationJob.Input.UNBOUNDED,
        AdaptationJob.Beginning.ANEW);

    StreamGraph streams = environment.getStreamGraph(false);
    JobGraph job = streams.getJobGraph();
    List<String> shown = new ArrayList<>();
    shown.add(streams.getStreamingPlanAsJSON());
    shown.add(job.getJobConfiguration().toString());
    shown.add(environment.getConfiguration().toString());
    shown.add(environment.getConfig().getGlobalJobParameters().toMap().toString());
    for (JobVertex vertex : job.getVertices()) {
      shown.add(vertex.getName());
      shown.add(vertex.getOperatorName());
      shown.add(vertex.getOperatorDescription());
      shown.add(vertex.getOperatorPrettyName());
      shown.add(vertex.getResultOptimizerProperties());
    }

    assertThat(new String(InstantiationUtil.serializeObject(job), ISO_8859_1))
        .as("what the job needs travels in it")
        .contains("s3cret-jaas", "s3cret-registry");
    assertThat(shown.get(0)).contains("publish");
    assertThat(shown).noneMatch(each -> each != null && each.contains("s3cret"));
  }
}
