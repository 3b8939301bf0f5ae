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
 * whether its text is a definition or a usage example. Event times lie a second apart.
 */
public final class WordNetStreams {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final long SEED = 20_240_530;
  private static final int SHIFT_EVERY = 1_500;

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

  /** All three, by name. */
  public static Map<String, List<LabeledExample>> all(WordNet wordNet) {
    Map<String, List<LabeledExample>> streams = new LinkedHashMap<>();
    streams.put("wordnet-turn", new WordNetStreams(wordNet).turn());
    streams.put("wordnet-shifts", new WordNetStreams(wordNet).shifts());
    streams.put("wordnet-binary", new WordNetStreams(wordNet).binary());
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
    Map<String, String> swapped = new HashMap<>();
    for (int i = 0; i < NATURE.size(); i++) {
      swapped.put(NATURE.get(i), PEOPLE.get(i));
      swapped.put(PEOPLE.get(i), NATURE.get(i));
    }
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
