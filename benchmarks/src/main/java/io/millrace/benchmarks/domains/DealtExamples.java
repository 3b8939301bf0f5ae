package io.millrace.benchmarks.domains;

import io.millrace.schemas.LabeledExample;
import io.millrace.svft.tensor.Sha256;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.ToIntBiFunction;

/**
 * Streams of the same examples in the same order, dealt out to domains. Event times lie a second
 * apart.
 */
final class DealtExamples {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final String PREFIX = "domain-";
  private static final int HEX = 16;

  /** Digits of a hash that are enough to deal by. */
  private static final int DIGITS = 12;

  private static final long SEED = 20_240_530;

  /** A prime, so that domains do not come in the order of their names. */
  private static final long STRIDE = 7_919;

  private DealtExamples() {}

  /** All in one domain. */
  static List<LabeledExample> toOne(List<LabeledExample> examples) {
    return dealt(examples, (example, number) -> 0);
  }

  /** By the hash of the text, so a domain's number of examples is as chance has it. */
  static List<LabeledExample> byHash(List<LabeledExample> examples, int domains) {
    return dealt(examples, (example, number) -> byHash(example.getText(), domains));
  }

  /**
   * In turn, so that every domain has as many, and each comes again only after all others have.
   *
   * @param count of the stream; texts that come again have other ids
   */
  static List<LabeledExample> inTurn(List<LabeledExample> examples, int count, int domains) {
    return dealt(repeated(examples, count), (example, number) -> (int) (number * STRIDE % domains));
  }

  private static List<LabeledExample> repeated(List<LabeledExample> examples, int count) {
    List<LabeledExample> repeated = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      LabeledExample example = examples.get(i % examples.size());
      repeated.add(
          LabeledExample.newBuilder(example)
              .setId(example.getId() + "-" + i / examples.size())
              .build());
    }
    return repeated;
  }

  /**
   * By Zipf's law: the domain with the number k, from 0, comes in proportion to 1 / (k + 1)^s.
   * Drawn by a fixed seed.
   *
   * @param count of the stream; texts may come again
   * @param skew how many times as often as the last domain the first one comes; s follows from it
   */
  static List<LabeledExample> byZipf(
      List<LabeledExample> examples, int count, int domains, double skew) {
    double exponent = Math.log(skew) / Math.log(domains);
    double[] upTo = new double[domains];
    double sum = 0;
    for (int i = 0; i < domains; i++) {
      sum += Math.pow(i + 1, -exponent);
      upTo[i] = sum;
    }
    Random random = new Random(SEED);
    double all = sum;
    return dealt(
        repeated(examples, count),
        (example, number) -> {
          int found = Arrays.binarySearch(upTo, random.nextDouble() * all);
          return Math.min(domains - 1, found < 0 ? -found - 1 : found);
        });
  }

  private static int byHash(String text, int domains) {
    String hash = Sha256.of(text.getBytes(StandardCharsets.UTF_8)).substring(0, DIGITS);
    return (int) (Long.parseLong(hash, HEX) % domains);
  }

  /**
   * @param domain of an example and its place in the stream; from 0
   */
  private static List<LabeledExample> dealt(
      List<LabeledExample> examples, ToIntBiFunction<LabeledExample, Integer> domain) {
    List<LabeledExample> dealt = new ArrayList<>();
    for (LabeledExample example : examples) {
      int number = dealt.size();
      dealt.add(
          LabeledExample.newBuilder(example)
              .setDomain(name(domain.applyAsInt(example, number)))
              .setEventTime(START.plusSeconds(number))
              .build());
    }
    return dealt;
  }

  /** Of a domain by its number, from 0. */
  static String name(int domain) {
    return PREFIX + "%06d".formatted(domain);
  }

  /** The number of a domain by its name. */
  static int number(String name) {
    return Integer.parseInt(name.substring(PREFIX.length()));
  }
}
