package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.evidence.EvidenceHarness;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionPlace;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.runtime.clusterframework.types.ResourceProfile;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.graph.StreamEdge;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.runtime.partitioner.KeyGroupStreamPartitioner;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The part of the job's graph that the operators make up. */
@Tag("unit")
class AdaptationTest {
  @Test
  void operatorsKeepTheirStateUnderNamesOfTheirOwn() {
    StreamGraph graph = graph(Optional.empty());

    assertThat(node(graph, "check examples").getTransformationUID()).isEqualTo("check-examples");
    assertThat(node(graph, "adapt").getTransformationUID()).isEqualTo("adapt");
    assertThat(node(graph, "evidence").getTransformationUID()).isEqualTo("evidence");
  }

  @Test
  void recordsReachTrainingAndSinkByKey() {
    StreamGraph graph = graph(Optional.empty());

    assertThat(node(graph, "adapt").getInEdges())
        .extracting(StreamEdge::getPartitioner)
        .hasOnlyElementsOfType(KeyGroupStreamPartitioner.class);
    assertThat(node(graph, "sink: Writer").getInEdges())
        .hasSize(2)
        .extracting(StreamEdge::getPartitioner)
        .hasOnlyElementsOfType(KeyGroupStreamPartitioner.class);
  }

  @Test
  void trainingAndEvidenceAloneRunWhereThereIsAGpu() {
    StreamGraph graph = graph(Optional.of(Adaptation.gpuSlot(1, 512, 3_072, 64)));

    assertThat(node(graph, "adapt").getSlotSharingGroup()).isEqualTo("training");
    assertThat(node(graph, "evidence").getSlotSharingGroup())
        .as("who compares versions uses the model that training has loaded")
        .isEqualTo("training");
    assertThat(node(graph, "check examples").getSlotSharingGroup()).isEqualTo("default");
    ResourceProfile slot = graph.getSlotSharingGroupResource("training").orElseThrow();
    assertThat(slot.getExtendedResources()).containsOnlyKeys("gpu");
    assertThat(slot.getTaskOffHeapMemory().getMebiBytes()).isEqualTo(3_072);
  }

  private static StreamNode node(StreamGraph graph, String name) {
    return graph.getStreamNodes().stream()
        .filter(node -> node.getOperatorName().contains(name))
        .findFirst()
        .orElseThrow(
            () ->
                new AssertionError(
                    graph.getStreamNodes().stream().map(StreamNode::getOperatorName).toList()));
  }

  private static StreamGraph graph(Optional<SlotSharingGroup> slots) {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    Adaptation adaptation =
        Adaptation.of(
            environment.fromData(
                List.of(Received.example("a", 0, 0, 0)), new AvroTypeInfo<>(ReceivedExample.class)),
            new ExampleRules(ExampleRules.Limits.DEFAULT),
            MiniLm.settings(),
            ParentVersions.none(),
            slots);
    adaptation.outgoing().sinkTo(new DiscardingSink<>()).name("sink");
    Evidence.of(
            adaptation.evidence(),
            environment.fromData(
                List.of(
                    RolloutEvent.newBuilder()
                        .setEventId("1")
                        .setDomain("a")
                        .setAction(RolloutAction.UNKNOWN)
                        .setAuthor("ann")
                        .setCreatedAt(Instant.EPOCH)
                        .build()),
                new AvroTypeInfo<>(RolloutEvent.class)),
            environment.fromData(
                List.of(Evidence.input("a", new VersionPlace(1L, "", 0, 0L, 0L))),
                new AvroTypeInfo<>(EvidenceInput.class)),
            EvidenceHarness.SETTINGS,
            new EvidenceHarness.Shelf(),
            slots)
        .sinkTo(new DiscardingSink<>())
        .name("rollouts");
    return environment.getStreamGraph();
  }
}
