package io.millrace.pipeline.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Kernels;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class RecordedSettingsTest {
  private static final double CLASS_MEANS = 20;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft.pattern=plain",
        "svft.pattern=random:2",
        "svft.pattern=top-k:1",
        "svft.pattern=gradient:1 svft.rank=64 adapter.weights=value+query",
        "adapter.method=lora",
        "adapter.method=lora lora.rank=4 lora.alpha=3.5 training.learningRate=0.00012345678901234",
        "adapter.method=full",
        "adapter.method=head training.warmupSteps=3",
        "training.preset=fast",
        "training.preset=fast training.sampleErrorsBelow=0.125"
      })
  void whatIsRecordedTrainsAsTheSettingsDid(String sets) {
    Settings settings = settings(sets.split(" "));

    TreeMap<String, String> recorded = RecordedSettings.of(settings);

    assertThat(RecordedSettings.training(recorded)).isEqualTo(JobSettings.training(settings));
    assertThat(RecordedSettings.changed(recorded, Map.of())).isEqualTo(recorded);
  }

  /** Manifests of releases that knew no other kernels do not name them. */
  @Test
  void kernelsAreTheRecordedOnesOrTheFastOnes() {
    TreeMap<String, String> recorded = RecordedSettings.of(settings("training.kernels=portable"));

    assertThat(RecordedSettings.kernels(recorded)).isEqualTo(Kernels.PORTABLE);
    recorded.remove("training.kernels");
    assertThat(RecordedSettings.kernels(recorded)).isEqualTo(Kernels.FAST);
    assertThat(RecordedSettings.changed(recorded, Map.of("training.weightDecay", "0.1")))
        .containsEntry("training.kernels", "fast");
    assertThat(RecordedSettings.of(settings())).containsEntry("training.kernels", "packed");
  }

  /** Manifests of releases that knew no other layout do not name it. */
  @Test
  void layoutIsTheRecordedOneOrSlices() {
    TreeMap<String, String> recorded = RecordedSettings.of(settings());

    assertThat(RecordedSettings.training(recorded).layout()).isEqualTo(BatchLayout.SEGMENTS);
    recorded.remove("training.layout");
    assertThat(RecordedSettings.training(recorded).layout()).isEqualTo(BatchLayout.SLICES);
    assertThat(RecordedSettings.changed(recorded, Map.of("training.weightDecay", "0.1")))
        .containsEntry("training.layout", "slices");
  }

  /** Manifests of releases whose heads were AdamW's alone do not name them. */
  @Test
  void classMeansAreTheRecordedOnesOrNone() {
    TreeMap<String, String> recorded = RecordedSettings.of(settings());

    assertThat(RecordedSettings.training(recorded).classMeans()).isEqualTo(CLASS_MEANS);
    recorded.remove("training.classMeans");
    assertThat(RecordedSettings.training(recorded).classMeans()).isZero();
    assertThat(RecordedSettings.changed(recorded, Map.of("training.weightDecay", "0.1")))
        .containsEntry("training.classMeans", "0.0");
  }

  @Test
  void aPresetIsRecordedAsWhatItChose() {
    assertThat(RecordedSettings.of(settings("training.preset=fast")))
        .containsEntry("training.sampleErrorsBelow", "0.25")
        .doesNotContainKey("training.preset");
    assertThat(
            RecordedSettings.of(settings("training.preset=fast", "training.sampleErrorsBelow=0")))
        .doesNotContainKeys("training.sampleErrorsBelow", "training.preset");
    assertThatThrownBy(
            () -> RecordedSettings.of(settings("training.preset=fast", "training.layout=slices")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("training.layout=segments");
  }

  @Test
  void aDomainHasNoPresetOfItsOwn() {
    assertThatThrownBy(() -> settings("domains.a.training.preset=fast"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("training.preset");
  }

  @Test
  void whatWasInForceByDefaultIsRecordedAsItWas() {
    assertThat(RecordedSettings.of(settings()))
        .containsEntry("adapter.method", "svft")
        .containsEntry("svft.pattern", "plain")
        .containsEntry("training.learningRate", "0.03")
        .containsEntry("adapter.weights", "query+key+value+attention-output+intermediate+output")
        .containsEntry("batch.size", "16")
        .containsEntry("batch.timeout", "5s")
        .containsEntry("publish.everySteps", "10")
        .containsEntry("model.name", "minilm")
        .doesNotContainKeys("lora.rank", "training.threads");
  }

  @Test
  void anotherMethodBringsItsOwnDefaults() {
    TreeMap<String, String> plain = RecordedSettings.of(settings());

    TreeMap<String, String> lora =
        RecordedSettings.changed(plain, Map.of("adapter.method", "lora"));
    TreeMap<String, String> topK =
        RecordedSettings.changed(plain, Map.of("svft.pattern", "top-k:1"));

    assertThat(lora)
        .containsEntry("training.learningRate", "5.0E-4")
        .containsEntry("lora.alpha", "16.0")
        .doesNotContainKey("svft.pattern");
    assertThat(topK).containsEntry("adapter.weights", "query+key+value+attention-output");
  }

  @Test
  void whatWasChosenByHandStays() {
    TreeMap<String, String> plain =
        RecordedSettings.of(settings("training.learningRate=0.02", "adapter.weights=query"));

    assertThat(RecordedSettings.changed(plain, Map.of("svft.pattern", "banded:2")))
        .containsEntry("training.learningRate", "0.02")
        .containsEntry("adapter.weights", "query")
        .containsEntry("svft.pattern", "banded:2");
  }

  @Test
  void aReplayTakesNoOtherBatches() {
    assertThat(RecordedSettings.within(settings("training.beta1=0.8", "training.threads=1")))
        .containsExactly(Map.entry("training.beta1", "0.8"));
    assertThatThrownBy(() -> RecordedSettings.within(settings("batch.size=8")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("batch.size: a replay takes batches");
  }

  @Test
  void aDerivedValueThatAReplayWouldRefuseIsNotRecorded() {
    Settings settings = settings("adapter.method=lora", "lora.rank=600000");

    assertThatThrownBy(() -> RecordedSettings.of(settings))
        .isInstanceOf(UsageException.class)
        .hasMessage("lora.alpha: '1200000.0' is not a number from 0.0 to 1000000.0");
  }

  private static Settings settings(String... sets) {
    return Settings.of(JobSettings.ALL, null, List.of(sets));
  }
}
