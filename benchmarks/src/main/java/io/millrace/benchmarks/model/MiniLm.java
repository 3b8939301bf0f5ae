package io.millrace.benchmarks.model;

import io.millrace.client.process.Home;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.TrainingExample;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/** What the benchmarks of the engine run: MiniLM, on definitions from WordNet. */
public final class MiniLm {
  /** Number of batches that a benchmark uses in turn, so that the result does not depend on one. */
  public static final int BATCHES = 8;

  private static final int SHORTEST = 8;
  private static final int LONGEST = 60;

  private MiniLm() {}

  /** The model in the store of {@code bin/millrace}; prepared there where it is missing. */
  public static ModelFiles files() {
    return files(Home.data().resolve("models"));
  }

  public static ModelFiles files(Path store) {
    return new ModelStore(store).prepare(ModelStore.MINILM, (model, done, total) -> {});
  }

  /** The model with its weights in the form that the method computes with. */
  public static BaseModel load(ModelFiles files, AdapterMethod method) {
    return BaseModel.load(files, Torch.device("cpu"), method.factored());
  }

  /**
   * The same batches each time: definitions, with their class as label. The shortest are joined
   * with the next, which gives 17 tokens a text and about 35 with padding, as in product reviews.
   *
   * @param size examples per batch
   * @return {@link #BATCHES} batches
   */
  public static List<List<TrainingExample>> batches(BaseModel base, int size) {
    List<List<TrainingExample>> batches = new ArrayList<>();
    List<TrainingExample> batch = new ArrayList<>();
    Iterator<LabeledExample> definitions = wordNet().definitions(2 * BATCHES * size).iterator();
    while (batches.size() < BATCHES) {
      LabeledExample one = definitions.next();
      String text = one.getText();
      if (tokens(base, text) < SHORTEST) {
        text += "; " + definitions.next().getText();
      }
      if (tokens(base, text) <= LONGEST) {
        batch.add(new TrainingExample(text, one.getLabel(), 1));
      }
      if (batch.size() == size) {
        batches.add(List.copyOf(batch));
        batch.clear();
      }
    }
    return batches;
  }

  private static int tokens(BaseModel base, String text) {
    return base.tokenize(List.of(text))[0].length;
  }

  private static WordNet wordNet() {
    try {
      return WordNet.load();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Token ids of one text. */
  public static long[][] tokenize(BaseModel base, String text) {
    return base.tokenize(List.of(text));
  }

  /** Token ids of a batch, a sequence for each text. */
  public static long[][] tokenize(BaseModel base, List<TrainingExample> batch) {
    return base.tokenize(batch.stream().map(TrainingExample::text).toList());
  }

  /** Number of tokens in a batch. */
  public static int tokens(long[][] ids) {
    return Arrays.stream(ids).mapToInt(sequence -> sequence.length).sum();
  }
}
