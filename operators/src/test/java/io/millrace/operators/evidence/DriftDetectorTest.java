package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.operators.evidence.DriftDetector.Change;
import io.millrace.schemas.AdwinState;
import io.millrace.schemas.ErrorBucket;
import io.millrace.schemas.PageHinkleyState;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecordBase;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Both detectors on seeded streams of errors with known rates. */
@Tag("unit")
class DriftDetectorTest {
  static Stream<Supplier<DriftDetector>> detectors() {
    return Stream.of(DriftDetectorTest::adwin, DriftDetectorTest::pageHinkley);
  }

  /** One in 100,000 examples; the theorem would allow ADWIN 0.002 per check, some 16 in all. */
  @ParameterizedTest
  @MethodSource("detectors")
  void steadyStreamsGiveAlmostNoAlarm(Supplier<DriftDetector> detector) {
    int alarms = 0;
    for (int seed = 0; seed < 50; seed++) {
      // From 0.05 to 0.49: the nearer to 1/2, the more chance there is in the errors.
      double rate = 0.05 + 0.01 * (seed % 45);
      alarms += alarms(detector.get(), errors(seed, 5_000, rate)).size();
    }
    assertThat(alarms).isLessThanOrEqualTo(2);
  }

  @ParameterizedTest
  @MethodSource("detectors")
  void anAbruptRiseIsReportedOnceAndSoon(Supplier<DriftDetector> detector) {
    for (int seed = 0; seed < 20; seed++) {
      List<Boolean> errors = errors(seed, 2_000, 0.1, 1_500, 0.5);
      Map<Integer, Change> alarms = alarms(detector.get(), errors);
      assertThat(alarms.keySet())
          .as("seed %d", seed)
          .singleElement()
          .satisfies(at -> assertThat(at).isBetween(2_000, 2_200));
      Change change = alarms.values().iterator().next();
      assertThat(change.before()).isCloseTo(0.1, within(0.04));
      assertThat(change.after()).isBetween(0.3, 0.7);
    }
  }

  @Test
  void adwinForgetsWhatWasBeforeTheChange() {
    Adwin adwin = new Adwin(Adwin.DELTA, null);
    errors(1, 5_000, 0.1, 1_000, 0.6).forEach(adwin::add);

    long window = adwin.state().getBuckets().stream().mapToLong(ErrorBucket::getExamples).sum();
    assertThat(window).isBetween(900L, 1_100L);
  }

  @Test
  void adwinReportsAFallAsNoWorsening() {
    Adwin adwin = new Adwin(Adwin.DELTA, null);
    Map<Integer, Change> alarms = alarms(adwin, errors(3, 1_000, 0.6, 1_000, 0.1));

    assertThat(alarms.values()).hasSize(1).noneMatch(Change::worse);
  }

  @Test
  void pageHinkleyIsSilentWhereErrorsFall() {
    assertThat(alarms(new PageHinkley(null), errors(3, 2_000, 0.6, 2_000, 0.1))).isEmpty();
  }

  /** Where independent implementations first report the changes of the same streams. */
  @ParameterizedTest
  @CsvSource({
    "1, 2000, 0.1, 2000, 0.3, 2080, 2242",
    "2, 1000, 0.1, 1000, 0.5, 1056, 1119",
    "3, 5000, 0.2, 1000, 0.4, 5184, 5248",
    "4, 3000, 0.05, 3000, 0.15, 3360, 3694",
    "6, 10000, 0.3, 3000, 0.4, 10368, 10348",
    "8, 300, 0.02, 700, 0.98, 320, 358"
  })
  void alarmsComeWhereOtherImplementationsGiveThem(
      int seed, int n, double before, int more, double after, int adwinAt, int pageHinkleyAt) {
    List<Boolean> errors = errors(seed, n, before, more, after);

    List<Integer> adwin = List.copyOf(alarms(adwin(), errors).keySet());
    assertThat(adwin.get(0)).isCloseTo(adwinAt, within(2 * Adwin.CHECK_EVERY));
    assertThat(alarms(pageHinkley(), errors).keySet()).first().isEqualTo(pageHinkleyAt);
  }

  @Test
  void aWindowOfManyExamplesTakesFewBuckets() {
    Adwin adwin = new Adwin(Adwin.DELTA, null);
    errors(1, 200_000, 0.2).forEach(adwin::add);

    List<ErrorBucket> buckets = adwin.state().getBuckets();
    assertThat(buckets).hasSizeLessThan(Adwin.BUCKETS_PER_SIZE * 18);
    assertThat(buckets.stream().mapToLong(ErrorBucket::getExamples).sum()).isEqualTo(200_000);
    for (int i = 1; i < buckets.size(); i++) {
      assertThat(buckets.get(i).getExamples())
          .isLessThanOrEqualTo(buckets.get(i - 1).getExamples());
    }
  }

  @Test
  void aStateThatWasWrittenAndReadGoesOnAsIfNothingWere() throws IOException {
    List<Boolean> errors = errors(7, 1_000, 0.1, 500, 0.4, 1_500, 0.1, 1_500, 0.6);
    Map<Integer, Change> adwins = new TreeMap<>();
    Map<Integer, Change> pageHinkleys = new TreeMap<>();
    AdwinState adwinState = null;
    PageHinkleyState pageHinkleyState = null;
    for (int i = 0; i < errors.size(); i++) {
      Adwin adwin = new Adwin(Adwin.DELTA, adwinState);
      PageHinkley pageHinkley = new PageHinkley(pageHinkleyState);
      int at = i + 1;
      adwin.add(errors.get(i)).ifPresent(change -> adwins.put(at, change));
      pageHinkley.add(errors.get(i)).ifPresent(change -> pageHinkleys.put(at, change));
      adwinState = copy(adwin.state());
      pageHinkleyState = copy(pageHinkley.state());
    }

    assertThat(adwins).hasSizeGreaterThan(1).isEqualTo(alarms(adwin(), errors));
    assertThat(pageHinkleys).hasSizeGreaterThan(1).isEqualTo(alarms(pageHinkley(), errors));
  }

  private static <T extends SpecificRecordBase> T copy(T state) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    var encoder = EncoderFactory.get().directBinaryEncoder(bytes, null);
    new SpecificDatumWriter<T>(state.getSchema()).write(state, encoder);
    var decoder = DecoderFactory.get().binaryDecoder(bytes.toByteArray(), null);
    return new SpecificDatumReader<T>(state.getSchema()).read(null, decoder);
  }

  private static DriftDetector adwin() {
    return new Adwin(Adwin.DELTA, null);
  }

  private static DriftDetector pageHinkley() {
    return new PageHinkley(null);
  }

  /** Changes by the example that shows each, from 1. */
  private static Map<Integer, Change> alarms(DriftDetector detector, List<Boolean> errors) {
    Map<Integer, Change> alarms = new TreeMap<>();
    for (int i = 0; i < errors.size(); i++) {
      Optional<Change> change = detector.add(errors.get(i));
      if (change.isPresent()) {
        alarms.put(i + 1, change.get());
      }
    }
    return alarms;
  }

  /**
   * @param lengthsAndRates how many examples, and the share of errors among them, in turn
   */
  private static List<Boolean> errors(int seed, double... lengthsAndRates) {
    Random random = new Random(seed);
    List<Boolean> errors = new ArrayList<>();
    for (int i = 0; i < lengthsAndRates.length; i += 2) {
      for (int k = 0; k < lengthsAndRates[i]; k++) {
        errors.add(random.nextDouble() < lengthsAndRates[i + 1]);
      }
    }
    return errors;
  }
}
