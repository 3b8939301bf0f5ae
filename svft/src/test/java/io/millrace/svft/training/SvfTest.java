package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.Models;
import io.millrace.svft.TinyModel;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class SvfTest {
  private static final List<TrainingExample> BATCH =
      List.of(
          new TrainingExample("a good one", "x", 1),
          new TrainingExample("a bad one", "y", 1),
          new TrainingExample("another", "x", 1));

  @Test
  void singularValuesAloneTrainAsThePlainPatternDoes() {
    Adapter svf = trained("svf");
    Adapter plain = trained("svft:plain");

    assertThat(svf.values()).isEqualTo(plain.values()).isNotEqualTo(new float[svf.values().length]);
    assertThat(svf.head()).isEqualTo(plain.head());
    assertThat(svf.positionsSha256()).isEqualTo(plain.positionsSha256());
    assertThat(svf.method().learningRate()).isEqualTo(plain.method().learningRate());
    assertThat(svf.method().spec()).isEqualTo("svf");
    assertThat(Adapter.fromPayload(svf.toPayload()).sha256()).isEqualTo(svf.sha256());
  }

  private static Adapter trained(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = trainer.initialState();
      for (int step = 0; step < 3; step++) {
        state = trainer.step(state, BATCH).state();
      }
      return state.toAdapter(base, "domain", 1, "");
    }
  }
}
