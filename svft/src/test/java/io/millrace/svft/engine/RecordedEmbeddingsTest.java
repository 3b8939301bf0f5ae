package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Imports small Hugging Face directories and compares the vectors of texts with those that other
 * implementations gave: transformers in float64 for {@code roberta}, sentence-transformers for
 * {@code st-lower}. The texts spell padding and mask tokens.
 */
@Tag("unit")
class RecordedEmbeddingsTest {
  @TempDir private Path root;

  @ParameterizedTest
  @ValueSource(strings = {"roberta", "st-lower"})
  void everyVectorIsTheRecordedOne(String name) throws Exception {
    Path source = Path.of(RecordedEmbeddingsTest.class.getResource("/models/" + name).toURI());
    JsonNode recorded = new ObjectMapper().readTree(source.resolve("expected.json").toFile());
    ModelStore store = new ModelStore(root);
    AdapterMethod head = AdapterMethod.parse("head");
    try (BaseModel base =
            BaseModel.load(store.prepare(source.toString(), (m, d, t) -> {}), Torch.device("cpu"));
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(head), 1)) {
      assertThat(recorded).isNotEmpty();
      for (JsonNode each : recorded) {
        String text = each.path("text").asText();
        long[][] ids = base.tokenize(List.of(text));
        float[] vector = RandomState.embed(base, trainer.initialState(), ids);
        assertThat(vector).as(text).hasSize(each.path("embedding").size());
        for (int i = 0; i < vector.length; i++) {
          assertThat((double) vector[i])
              .as("%s, value %d", text, i)
              .isCloseTo(each.path("embedding").path(i).asDouble(), within(1e-5));
        }
      }
    }
  }
}
