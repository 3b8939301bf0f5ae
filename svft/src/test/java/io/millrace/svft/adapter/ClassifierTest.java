package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingChain;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@Tag("unit")
@ExtendWith(Models.class)
class ClassifierTest {
  private static final List<String> TEXTS = Sentences.ALL.subList(50, 70);

  private final BaseModel base;
  private final Trainer trainer;

  ClassifierTest(@Models.MiniLm BaseModel base) {
    this.base = base;
    this.trainer =
        new Trainer(base, TrainingSettings.defaults(AdapterMethod.parse("svft:plain")), 1);
  }

  @Test
  void logitsAreThoseTheTrainerComputes() {
    TrainingState state = trained(4);
    List<TrainingExample> batch =
        TEXTS.stream().map(text -> new TrainingExample(text, "a", 1)).toList();
    float[][] expected = trainer.step(state, batch).logits();

    try (Classifier classifier = new Classifier(base, adapter(state))) {
      float[][] logits = classifier.logits(TEXTS);
      for (int i = 0; i < TEXTS.size(); i++) {
        assertThat(Differences.largest(logits[i], expected[i])).isLessThan(1e-5);
      }
    }
  }

  @Test
  void aTextScoresTheSameAloneAndAmongOthers() {
    try (Classifier classifier = new Classifier(base, adapter(trained(2)))) {
      float[][] together = classifier.logits(TEXTS);
      for (int i = 0; i < TEXTS.size(); i++) {
        assertThat(Differences.largest(classifier.logits(List.of(TEXTS.get(i)))[0], together[i]))
            .isLessThan(1e-5);
      }
    }
  }

  @Test
  void aDiagonalIsCopiedWhenItFirstScoresAlone() {
    Adapter adapter = adapter(trained(2));
    int before = arrays();
    try (Classifier one = new Classifier(base, adapter);
        Classifier two = new Classifier(base, adapter)) {
      int loaded = arrays();
      long bytes = one.bytes();
      float[][] mixed = Classifier.logits(List.of(one, two), TEXTS.subList(0, 2));

      assertThat(loaded).as("heads alone").isEqualTo(before + 4);
      assertThat(arrays()).as("after a pass with others").isEqualTo(loaded);
      assertThat(Differences.largest(one.logits(TEXTS.subList(0, 1))[0], mixed[0]))
          .isLessThan(1e-5);
      assertThat(arrays()).isEqualTo(loaded + base.linears().size());
      assertThat(one.bytes()).isEqualTo(bytes);
    }
    assertThat(arrays()).as("arrays left behind").isEqualTo(before);
  }

  @Test
  void adaptersOfTwoMethodsShareNoPass() {
    Adapter plain = adapter(trained(1));
    Trainer other = new Trainer(base, TrainingSettings.defaults(AdapterMethod.parse("svf")), 1);
    Adapter svf =
        other
            .step(other.initialState(), Sentences.batch(1, 2))
            .state()
            .toAdapter(base, "svf", 1, "");
    other.close();

    try (Classifier one = new Classifier(base, plain);
        Classifier two = new Classifier(base, svf)) {
      assertThat(one.sharesPass(two)).isFalse();
      assertThatThrownBy(() -> Classifier.logits(List.of(one, two), TEXTS.subList(0, 2)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("share no pass");
    }
  }

  @Test
  void concurrentCallsAnswerAsIfEachWereAlone() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try (Classifier one = new Classifier(base, adapter(trained(1)));
        Classifier two = new Classifier(base, adapter(trained(2)))) {
      float[][] expectedOne = one.logits(TEXTS);
      float[][] expectedTwo = two.logits(TEXTS);

      List<Future<float[][]>> answers = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        Classifier classifier = i % 2 == 0 ? one : two;
        answers.add(threads.submit(() -> classifier.logits(TEXTS)));
      }
      for (int i = 0; i < 16; i++) {
        assertThat(answers.get(i).get()).isDeepEqualTo(i % 2 == 0 ? expectedOne : expectedTwo);
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void predictingBesideTrainingChangesNeither() throws Exception {
    List<String> chain = TrainingChain.run(base, 50, 4, 6);
    ExecutorService threads = Executors.newSingleThreadExecutor();
    try (Classifier classifier = new Classifier(base, adapter(trained(1)))) {
      float[][] logits = classifier.logits(TEXTS);
      Future<List<String>> training = threads.submit(() -> TrainingChain.run(base, 50, 4, 6));
      do {
        assertThat(classifier.logits(TEXTS)).isDeepEqualTo(logits);
      } while (!training.isDone());

      assertThat(training.get()).isEqualTo(chain);
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void anAdapterOfAnotherBaseModelIsRefused() {
    Adapter foreign = HandmadeAdapter.create();

    assertThatThrownBy(() -> new Classifier(base, foreign)).isInstanceOf(AdapterException.class);
  }

  private int arrays() {
    return base.manager().getManagedArrays().size();
  }

  private TrainingState trained(int steps) {
    TrainingState state = trainer.initialState();
    for (int i = 0; i < steps; i++) {
      state = trainer.step(state, Sentences.batch(70 + 4 * i, 4)).state();
    }
    return state;
  }

  private Adapter adapter(TrainingState state) {
    return state.toAdapter(base, "reviews", 1, "");
  }
}
