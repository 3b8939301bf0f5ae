package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.inference.log.AdapterIntake;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.Merger;
import io.millrace.inference.serving.ServedDomain;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.signing.TrustedKeys;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Serving where serving.trustedKeys is set. */
@Tag("integration")
class SignedAdaptersTest {
  private static final ServingMetrics METRICS = new ServingMetrics();
  private static final List<AdapterVersion> CHAIN = TestAdapters.chain("films", 3);

  @TempDir private Path directory;
  private TestKey ours;
  private TestKey theirs;
  private AdapterStore store;
  private AdapterCatalog catalog;
  private AdapterIntake intake;
  private long next;

  @BeforeEach
  void open() throws Exception {
    ours = TestKey.create(directory);
    theirs = TestKey.create(directory);
    openTrusting(ours);
  }

  private void openTrusting(TestKey key) {
    TrustedKeys trusted = TrustedKeys.read(List.of(key.publicKey()));
    store = AdapterStore.open(directory.resolve("adapters"));
    catalog = new AdapterCatalog(store, new Merger(0, METRICS), METRICS);
    catalog.load(new AdapterLoader(store, TestAdapters.base(), trusted));
    catalog.find("films").ifPresent(films -> films.startLoading().join());
    intake = new AdapterIntake(store, catalog, trusted);
  }

  @AfterEach
  void close() {
    catalog.close();
    store.close();
  }

  @Test
  void whatNoTrustedKeyHasSignedIsRefusedAndTheLastGoodOneServes() {
    arrive(ours.sign(CHAIN.get(0)));
    arrive(CHAIN.get(1));
    arrive(theirs.sign(CHAIN.get(2)));

    assertThat(serving()).isEqualTo(1);
    assertThat(films().refusalsBefore(Long.MAX_VALUE, 10))
        .extracting(Refusal::version, Refusal::reason)
        .containsExactly(
            tuple(2L, "it is not signed, and serving.trustedKeys asks for a signature"),
            tuple(3L, "its signature is by none of the keys in serving.trustedKeys"));
  }

  @Test
  void aSignatureUnderAnotherVersionIsNone() {
    arrive(ours.sign(CHAIN.get(0)));
    arrive(
        AdapterVersion.newBuilder(CHAIN.get(1))
            .setSignature(ours.signer().sign(CHAIN.get(0).getSha256()))
            .build());

    assertThat(serving()).isEqualTo(1);
  }

  @Test
  void aRestartChecksAgainByTheKeysOfNow() {
    arrive(ours.sign(CHAIN.get(0)));
    arrive(theirs.sign(CHAIN.get(1)));
    assertThat(serving()).isEqualTo(1);

    close();
    openTrusting(ours);
    assertThat(serving()).isEqualTo(1);

    close();
    openTrusting(theirs);
    assertThat(serving()).isEqualTo(2);
    assertThat(films().refusalsBefore(Long.MAX_VALUE, 10)).isEmpty();
    arrive(ours.sign(CHAIN.get(2)));
    assertThat(serving()).isEqualTo(2);
  }

  @Test
  void anUntrustedVersionTakesNoOthersPlace() {
    arrive(ours.sign(CHAIN.get(0)));
    arrive(ours.sign(CHAIN.get(1)));
    arrive(TestAdapters.version("films", 2, "ab".repeat(32)));
    arrive(CHAIN.get(1));

    assertThat(serving()).isEqualTo(2);
    close();
    openTrusting(ours);
    assertThat(serving()).isEqualTo(2);
    assertThat(films().serving().orElseThrow().stable().version().sha256())
        .isEqualTo(CHAIN.get(1).getSha256());
  }

  @Test
  void aFileThatIsNoKeyIsTheUsersMistakeInOneLine(@TempDir Path data) {
    Settings settings =
        Settings.of(
            ServingSettings.ALL,
            null,
            List.of("serving.trustedKeys=" + ours.publicKey() + ", " + data.resolve("no.pem")));

    assertThatThrownBy(() -> ServingProcess.listen(settings, data, 0, notice -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "serving.trustedKeys: the key "
                + data.resolve("no.pem")
                + " cannot be read: there is no such file");
    AdapterStore.open(data.resolve("adapters")).close();
  }

  private void arrive(AdapterVersion version) {
    byte[] key = Topics.adapterKey(version.getDomain(), version.getVersion());
    intake.record(key, version, new StreamOffset(0, ++next), Instant.EPOCH);
    intake.flush();
  }

  private ServedDomain films() {
    return catalog.find("films").orElseThrow();
  }

  private long serving() {
    return films().serving().orElseThrow().stable().version().version();
  }
}
