package io.millrace.benchmarks.streams;

import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Streams that differ in what makes online learning hard, made from one source of labeled text. A
 * default that holds must hold on all of them.
 *
 * <p>Each stream is one domain, named after it. Within a stream no entry of WordNet comes twice.
 * Metadata {@code part} names the part of the stream an example belongs to, {@code kind} says
 * whether its text is a definition, a usage example or several definitions. Event times lie a
 * second apart.
 */
public final class WordNetStreams {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final long SEED = 20_240_530;
  private static final int SHIFT_EVERY = 1_500;
  private static final int RETURN_EVERY = 700;
  private static final int RETURNS = 3;
  private static final int NOISY = 4_000;
  private static final double WRONG = 0.2;
  private static final int MOST_FREQUENT = 2_048;
  private static final int LONG = 1_600;

  /**
   * So many words are at least as many tokens, so a model that reads 128 tokens cuts the text off.
   */
  private static final int LONG_WORDS = 128;

  /** What grows, and what it is made of: classes with long definitions and hardly a usage. */
  private static final List<String> NATURE =
      List.of("animal", "plant", "food", "body", "substance");

  /** What people are, make, do and think; as many as {@link #NATURE}. */
  private static final List<String> PEOPLE =
      List.of("person", "artifact", "act", "communication", "cognition");

  private static final List<String> CONCRETE =
      List.of("animal", "artifact", "body", "food", "object", "person", "plant", "substance");

  private static final List<String> ABSTRACT =
      List.of("attribute", "cognition", "communication", "feeling", "motive", "relation", "state");

  private final Map<String, String> all;
  private final Iterator<LabeledExample> definitions;
  private final Iterator<LabeledExample> usages;
  private final List<LabeledExample> stream = new ArrayList<>();

  private WordNetStreams(WordNet wordNet) {
    List<LabeledExample> everyDefinition = wordNet.definitions(Integer.MAX_VALUE);
    this.all =
        asTheyAre(everyDefinition.stream().map(LabeledExample::getLabel).distinct().toList());
    this.definitions = everyDefinition.iterator();
    this.usages = wordNet.usages(Integer.MAX_VALUE).iterator();
  }

  /** All of them, by name. */
  public static Map<String, List<LabeledExample>> all(WordNet wordNet) {
    Map<String, List<LabeledExample>> streams = new LinkedHashMap<>();
    streams.put("wordnet-turn", new WordNetStreams(wordNet).turn());
    streams.put("wordnet-shifts", new WordNetStreams(wordNet).shifts());
    streams.put("wordnet-binary", new WordNetStreams(wordNet).binary());
    streams.put("wordnet-recurring", new WordNetStreams(wordNet).recurring());
    streams.put("wordnet-noisy", new WordNetStreams(wordNet).noisy());
    streams.put("wordnet-imbalanced", new WordNetStreams(wordNet).imbalanced());
    streams.put("wordnet-long", new WordNetStreams(wordNet).longTexts());
    streams.replaceAll(WordNetStreams::asDomain);
    return streams;
  }

  /** 26 classes; half way the texts turn from definitions to usage examples, once and for good. */
  private List<LabeledExample> turn() {
    draw("definitions", 6_000, definitions, all);
    draw("usages", 4_000, usages, all);
    return stream;
  }

  /**
   * Seven parts. In turn: a first set of classes; another set, all labels new; the same set,
   * another kind of text; all classes; ten labels swapped in pairs; all labels right again, another
   * kind of text; the first set and kind again.
   */
  private List<LabeledExample> shifts() {
    Map<String, String> swapped = swapped();
    draw("nature", SHIFT_EVERY, definitions, asTheyAre(NATURE));
    draw("people", SHIFT_EVERY, definitions, asTheyAre(PEOPLE));
    draw("people-usages", SHIFT_EVERY, usages, asTheyAre(PEOPLE));
    draw("all", SHIFT_EVERY, definitions, all);
    draw("swapped", SHIFT_EVERY, definitions, swapped);
    draw("all-usages", SHIFT_EVERY, usages, all);
    draw("nature-again", SHIFT_EVERY, definitions, asTheyAre(NATURE));
    return stream;
  }

  /** Two labels, as many examples of each, in no order: nothing shifts. */
  private List<LabeledExample> binary() {
    draw("definitions", 1_500, definitions, to("concrete", CONCRETE));
    draw("definitions", 1_500, definitions, to("abstract", ABSTRACT));
    Collections.shuffle(stream, new Random(SEED));
    return stream;
  }

  /**
   * Three parts that take turns: a set of classes; another set, all other labels; both, their
   * labels swapped in pairs. Each comes back twice, with other examples.
   */
  private List<LabeledExample> recurring() {
    for (int i = 0; i < RETURNS; i++) {
      draw("nature", RETURN_EVERY, definitions, asTheyAre(NATURE));
      draw("people", RETURN_EVERY, definitions, asTheyAre(PEOPLE));
      draw("swapped", RETURN_EVERY, definitions, swapped());
    }
    return stream;
  }

  /**
   * 26 classes; of five labels one is wrong, any of the others with the same probability. Metadata
   * {@code class} holds the right one.
   */
  private List<LabeledExample> noisy() {
    draw("definitions", NOISY, definitions, all);
    List<String> classes = all.keySet().stream().sorted().toList();
    Random random = new Random(SEED);
    stream.replaceAll(
        example -> {
          String right = example.getLabel();
          Map<String, String> metadata = new HashMap<>(example.getMetadata());
          metadata.put("class", right);
          LabeledExample.Builder given = LabeledExample.newBuilder(example).setMetadata(metadata);
          if (random.nextDouble() < WRONG) {
            List<String> wrong = classes.stream().filter(each -> !each.equals(right)).toList();
            given.setLabel(wrong.get(random.nextInt(wrong.size())));
          }
          return given.build();
        });
    return stream;
  }

  /** Ten classes in no order, each half as frequent as the one before: 2,048 to 4 examples. */
  private List<LabeledExample> imbalanced() {
    int count = MOST_FREQUENT;
    for (int i = 0; i < PEOPLE.size(); i++) {
      for (List<String> classes : List.of(PEOPLE, NATURE)) {
        draw("definitions", count, definitions, asTheyAre(List.of(classes.get(i))));
        count /= 2;
      }
    }
    Collections.shuffle(stream, new Random(SEED));
    return stream;
  }

  /** 26 classes; each text is several definitions of a class, as long as a mail. */
  private List<LabeledExample> longTexts() {
    Map<String, List<LabeledExample>> open = new HashMap<>();
    Map<String, Integer> words = new HashMap<>();
    while (stream.size() < LONG) {
      LabeledExample next = definitions.next();
      String label = next.getLabel();
      List<LabeledExample> own = open.computeIfAbsent(label, key -> new ArrayList<>());
      own.add(next);
      int count = next.getText().split("\\s+").length;
      if (words.merge(label, count, Integer::sum) >= LONG_WORDS) {
        String text =
            own.stream().map(LabeledExample::getText).collect(Collectors.joining(". ", "", "."));
        stream.add(
            LabeledExample.newBuilder(own.get(0))
                .setText(text)
                .setMetadata(Map.of("kind", "definitions", "part", "definitions"))
                .build());
        open.remove(label);
        words.remove(label);
      }
    }
    return stream;
  }

  private static Map<String, String> swapped() {
    Map<String, String> swapped = new HashMap<>();
    for (int i = 0; i < NATURE.size(); i++) {
      swapped.put(NATURE.get(i), PEOPLE.get(i));
      swapped.put(PEOPLE.get(i), NATURE.get(i));
    }
    return swapped;
  }

  private static Map<String, String> asTheyAre(List<String> classes) {
    return classes.stream().collect(Collectors.toMap(Function.identity(), Function.identity()));
  }

  private static Map<String, String> to(String label, List<String> classes) {
    return classes.stream().collect(Collectors.toMap(Function.identity(), name -> label));
  }

  /**
   * Adds the next {@code count} examples of some classes to the stream. Examples of other classes
   * that come before them are dropped, so that every part has its classes in WordNet's proportions.
   *
   * @param from in random order
   * @param labels of each class to draw from, the label its examples get
   */
  private void draw(
      String part, int count, Iterator<LabeledExample> from, Map<String, String> labels) {
    int drawn = 0;
    while (drawn < count) {
      LabeledExample example = from.next();
      String label = labels.get(example.getLabel());
      if (label != null) {
        Map<String, String> metadata = new HashMap<>(example.getMetadata());
        metadata.put("part", part);
        stream.add(
            LabeledExample.newBuilder(example).setLabel(label).setMetadata(metadata).build());
        drawn++;
      }
    }
  }

  private static List<LabeledExample> asDomain(String name, List<LabeledExample> examples) {
    List<LabeledExample> named = new ArrayList<>();
    for (LabeledExample example : examples) {
      named.add(
          LabeledExample.newBuilder(example)
              .setDomain(name)
              .setEventTime(START.plusSeconds(named.size()))
              .build());
    }
    return List.copyOf(named);
  }
}
