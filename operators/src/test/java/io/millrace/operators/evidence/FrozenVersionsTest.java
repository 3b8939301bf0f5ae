package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptHarness;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.EvidenceExample;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.TrainingSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("integration")
class FrozenVersionsTest {
  private static final Device CPU = Torch.device("cpu");

  /** Weights as their factors take every method; as they are, all but those that need factors. */
  @ParameterizedTest
  @CsvSource({
    "svft:plain, svft:plain",
    "svft:plain, lora:2;weights=value",
    "svft:plain, head",
    "head, svft:plain",
    "lora|svft:plain, svft:plain",
    "lora|svft:plain, lora:2;weights=value",
  })
  void versionsOfEachMethodOfTheJobAreScored(String methods, String method) throws Exception {
    AdapterVersion version = version(method);
    List<EvidenceExample> examples =
        IntStream.range(0, 8)
            .mapToObj(i -> Received.example("a", 0, i, i).getExample())
            .map(e -> new EvidenceExample(0, 0L, e.getText(), e.getLabel()))
            .toList();
    int before = SharedModel.loaded();
    try (FrozenVersions frozen = new FrozenVersions(settings(methods), CPU)) {
      assertThat(frozen.correct(version, examples)).hasSize(8).contains(true);
    }
    assertThat(SharedModel.loaded()).isEqualTo(before);
  }

  private static AdapterVersion version(String method) throws Exception {
    TrainingSettings training = TrainingSettings.defaults(AdapterMethod.parse(method));
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(training, MiniLm.STORE))) {
      adapt.receive("a", 0, 8);
      return adapt.versions().get(0);
    }
  }

  private static EvidenceSettings settings(String methods) {
    EvidenceSettings some = EvidenceHarness.SETTINGS;
    return new EvidenceSettings(
        some.rules(),
        some.firstPolicies(),
        some.detectors(),
        new ArrayList<>(Stream.of(methods.split("[|]")).map(AdapterMethod::parse).toList()),
        some.modelStore(),
        some.modelName(),
        some.device(),
        some.metricsDomains());
  }
}
