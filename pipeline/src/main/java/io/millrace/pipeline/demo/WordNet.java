package io.millrace.pipeline.demo;

import io.millrace.schemas.LabeledExample;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A stream of real labeled text: WordNet 3.1's nouns (Princeton University), each text labeled with
 * one of the 26 lexicographer classes.
 *
 * <p>First come definitions ("a small rodent that …": animal), then usage examples ("the mouse ran
 * up the clock": animal). The classes stay, the texts change altogether: a domain shift that a
 * frozen encoder does not survive.
 */
public final class WordNet {
  /** Domain of the stream. */
  public static final String DOMAIN = "wordnet";

  private static final String NOUNS = "/net/sf/extjwnl/data/wordnet/wn31/data.noun";
  private static final int FIRST_CLASS = 3;
  private static final List<String> CLASSES =
      List.of(
          "tops",
          "act",
          "animal",
          "artifact",
          "attribute",
          "body",
          "cognition",
          "communication",
          "event",
          "feeling",
          "food",
          "group",
          "location",
          "motive",
          "object",
          "person",
          "phenomenon",
          "plant",
          "possession",
          "process",
          "quantity",
          "relation",
          "shape",
          "state",
          "substance",
          "time");
  private static final Pattern QUOTED = Pattern.compile("\"([^\"]+)\"");
  private static final long SEED = 20_240_530;

  private final List<LabeledExample> definitions = new ArrayList<>();
  private final List<LabeledExample> usages = new ArrayList<>();

  private WordNet() {}

  /** Reads all nouns from the class path, in WordNet's order. */
  public static WordNet load() throws IOException {
    WordNet wordNet = new WordNet();
    try (InputStream in = WordNet.class.getResourceAsStream(NOUNS)) {
      if (in == null) {
        throw new IOException("the class path holds no " + NOUNS);
      }
      BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        // The licence at the file's head is indented.
        if (!line.startsWith("  ")) {
          wordNet.addSynset(line);
        }
      }
    }
    return wordNet;
  }

  /** One line: {@code offset class type … | definition; "usage"; "usage"}. */
  private void addSynset(String line) {
    int bar = line.indexOf('|');
    String[] fields = line.substring(0, bar).split(" ", 3);
    String gloss = line.substring(bar + 1).trim();
    String label = CLASSES.get(Integer.parseInt(fields[1]) - FIRST_CLASS);
    int quote = gloss.indexOf('"');
    String definition =
        (quote < 0 ? gloss : gloss.substring(0, quote)).replaceAll("[;:\\s]+$", "").trim();
    if (!definition.isEmpty()) {
      definitions.add(example(fields[0], "definition", 0, definition, label));
    }
    Matcher usage = QUOTED.matcher(gloss);
    for (int i = 0; usage.find(); i++) {
      if (!usage.group(1).isBlank()) {
        usages.add(example(fields[0], "usage", i, usage.group(1).trim(), label));
      }
    }
  }

  private static LabeledExample example(
      String synset, String kind, int number, String text, String label) {
    return LabeledExample.newBuilder()
        .setId(synset + "-" + kind + "-" + number)
        .setDomain(DOMAIN)
        .setText(text)
        .setLabel(label)
        .setMetadata(Map.of("kind", kind))
        .build();
  }

  /** That many definitions, drawn by a fixed seed. */
  public List<LabeledExample> definitions(int count) {
    return drawn(definitions, count);
  }

  /** That many usage examples, drawn by a fixed seed. */
  public List<LabeledExample> usages(int count) {
    return drawn(usages, count);
  }

  private static List<LabeledExample> drawn(List<LabeledExample> from, int count) {
    List<LabeledExample> shuffled = new ArrayList<>(from);
    Collections.shuffle(shuffled, new Random(SEED));
    return List.copyOf(shuffled.subList(0, Math.min(count, shuffled.size())));
  }
}
