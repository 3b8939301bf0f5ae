package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.settings.Settings;
import io.millrace.inference.http.Api;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.net.URLEncoder;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The page as somebody sees it: from the topics to Chromium, through a serving process. */
@Tag("integration")
@ExtendWith(Services.class)
class PageInBrowserTest {
  private static final String TOKEN = "a-secret";
  private static final int PARTITIONS = 2;

  @TempDir static Path directory;
  private static KafkaBroker broker;
  private static StubRegistry registry;
  private static TestPublisher publisher;
  private static TestDecisions decisions;
  private static TestProgress progress;
  private static ServingProcess process;
  private static Browser browser;

  @BeforeAll
  static void start(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    Browser.requireChromium();
    broker = kafka;
    registry = schemas;
    TestTopics.createAdapters(broker, PARTITIONS);
    broker.create(Topics.ROLLOUTS, PARTITIONS, Map.of("retention.ms", "-1"));
    broker.create(Topics.TRAINING_PROGRESS, PARTITIONS, Map.of());
    broker.create(Topics.DEAD_LETTERS, 1, Map.of());
    publisher = new TestPublisher(settings(), PARTITIONS);
    decisions = new TestDecisions(settings());
    progress = new TestProgress(settings());
    process =
        ServingProcess.listen(
            settings("serving.rolloutToken=" + TOKEN), directory.resolve("serve"), 0, line -> {});
    process.load((model, done, total) -> {});
    browser = Browser.start(directory.resolve("profile"));
  }

  @AfterAll
  static void stop() {
    if (browser != null) {
      browser.close();
      process.close();
      publisher.close();
      decisions.close();
      progress.close();
    }
  }

  @AfterEach
  void nothingWasRefusedByTheBrowser() {
    if (browser != null) {
      browser.assertNoComplaints();
    }
  }

  private static Settings settings(String... more) {
    List<String> sets =
        new ArrayList<>(
            List.of(
                "model.store=" + TestAdapters.models(),
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url()));
    sets.addAll(List.of(more));
    return Settings.of(ServingSettings.ALL, null, sets);
  }

  private static void open(String hash) {
    browser.open("http://127.0.0.1:" + process.port() + "/" + hash);
  }

  private static double shown(String css) {
    return Double.parseDouble(browser.text(css).replaceAll("[^0-9.]", ""));
  }

  /** An example's course: it learns, the stream changes at two thirds, and it learns again. */
  private static int adapted(int step, Random random) {
    double learnt = 1 - Math.exp(-(step % 160) / 25.0);
    return hits(step < 160 ? 0.45 + 0.42 * learnt : 0.58 + 0.29 * learnt, random);
  }

  private static int frozen(int step, Random random) {
    return hits(step < 160 ? 0.45 + 0.2 * (1 - Math.exp(-step / 40.0)) : 0.52, random);
  }

  private static int hits(double share, Random random) {
    return (int)
        IntStream.range(0, TestProgress.BATCH).filter(i -> random.nextDouble() < share).count();
  }

  /** A domain with eight versions over twenty minutes, drift, and a candidate on trial. */
  private static void course(String domain) throws Exception {
    Random random = new Random(4);
    Instant begin = Instant.now().minusSeconds(1200);
    List<AdapterVersion> chain = TestAdapters.chain(domain, 8);
    publisher.publish(chain);
    for (int step = 0; step < 240; step++) {
      Instant at = begin.plusSeconds(5L * step);
      int version = step / 30;
      if (step % 30 == 0 && version > 0) {
        progress.event(TestDecisions.published(chain.get(version - 1)), at);
      }
      progress.step(
          domain, at, version, adapted(step, random), step % 3 == 0 ? frozen(step, random) : -1);
    }
    progress.event(TestDecisions.published(chain.get(7)), begin.plusSeconds(1199));
    progress.event(drift(domain), begin.plusSeconds(815));
    progress.flush();
    decisions.published(chain.subList(0, 7));
    decisions.decide(domain, d -> d.policy(RolloutPolicy.CANARY, 0.1));
    decisions.published(chain.subList(7, 8));
    decisions.decide(domain, d -> d.canary(8L, 0.1));
    progress.evidence(domain, 8, 7, 312, 41, 17);
    progress.flush();
  }

  private static RolloutEvent drift(String domain) {
    return RolloutEvent.newBuilder()
        .setEventId("drift-" + domain)
        .setDomain(domain)
        .setAction(RolloutAction.DRIFT)
        .setAuthor("adwin")
        .setReason("accuracy fell from 0.86 to 0.55")
        .setCreatedAt(Instant.now())
        .build();
  }

  @Test
  void theCurveRisesAsTheJobReports() throws Exception {
    Instant begin = Instant.now().minusSeconds(600);
    for (int i = 0; i < 40; i++) {
      progress.step("rising", begin.plusSeconds(i), 1, 5, i % 4 == 0 ? 5 : -1);
    }
    progress.flush();
    open("#/domain/rising");
    browser.awaitText("#trained", "step 40");
    double before = shown("#key-adapted");

    for (int i = 40; i < 100; i++) {
      progress.step("rising", begin.plusSeconds(i), 2, 14, i % 4 == 0 ? 8 : -1);
    }
    progress.flush();

    browser.awaitText("#trained", "step 100");
    assertThat(before).isLessThan(40);
    assertThat(shown("#key-adapted")).isGreaterThan(80);
    assertThat(shown("#key-frozen")).isBetween(40.0, 60.0);
    browser.find("#chart-table summary").click();
    Await.until(
        "the table has the points", () -> browser.all("#chart-table tbody tr").size() == 100);
    assertThat(browser.text("#chart-table tbody tr:first-child")).contains("100", "%");
    assertThat(browser.text("#gain-of")).contains("adapted", "frozen", "95 %");
  }

  @Test
  void aDomainShowsWhatServesWhatIsTriedAndWhatTheStreamDid() throws Exception {
    course("films");
    progress.deadLetter(
        "films", "BlankText", "the text is blank", "{\"text\":\" \"}".getBytes(UTF_8));
    progress.flush();
    open("#/domain/films");

    browser.awaitText("#stable", "version 7");
    browser.awaitText("#evidence-says", "41 won, 17 lost, 312 of at most 2,000");
    browser.awaitText("#domain-needs", "canary");
    browser.awaitText("#domain-needs", "drift");
    browser.awaitText("#marks", "accuracy fell from 0.86 to 0.55");
    browser.awaitText("#replicas", "127.0.0.1:" + process.port());
    browser.awaitText(
        "#versions", TestAdapters.chain("films", 8).get(7).getSha256().substring(0, 12));
    browser.awaitText("#letters-say", "below those whose key is this domain: 1");
    assertThat(browser.all("#chart canvas")).hasSize(1);

    browser.find("#text").sendKeys("a fine film");
    browser.find("#try button").click();
    Await.until("three answers", () -> browser.all("#answers-of .answer").size() == 3);
    assertThat(TestAdapters.LABELS)
        .contains(browser.text("#answers-of .answer:nth-child(2) .figure"));
    assertThat(browser.text("#answers-of"))
        .contains("Stable: version 7", "Candidate: version 8", "knows no labels");

    browser.script("scrollTo(0, 0)");
    browser.size(1080, 900, 1);
    browser.picture("domain");
    browser.dark(true);
    browser.picture("dark");
    browser.dark(false);
    browser.size(360, 900, 1);
    Await.until(
        "nothing is wider than a phone",
        () -> (Boolean) browser.script("return document.documentElement.scrollWidth <= 360"));
    browser.picture("phone");
    browser.size(1280, 900, 1);
  }

  @Test
  void aRollbackInTheBrowserIsARollbackInTheLog() throws Exception {
    publisher.publishWithEvents(TestAdapters.chain("books", 3));
    Api api = new Api(process.port());
    Await.until("version 3 serves", () -> api.serving("books") == 3);
    open("#/domain/books");
    browser.awaitText("#stable", "version 3");

    decide("rollback", "wrong", "worse on reviews");
    browser.awaitText("#outcome", "Not done: that is not the token");
    decide("rollback", TOKEN, "worse on reviews");
    browser.awaitText("#outcome", "Done: revision 1, version 2 serves");

    browser.awaitText("#stable", "version 2");
    browser.awaitText("#decided", "rollback by page");
    JsonNode event =
        api
            .get("/v1/rollouts/history?domain=books")
            .body()
            .get("events")
            .findParents("action")
            .stream()
            .filter(each -> each.get("action").asText().equals("rollback"))
            .findFirst()
            .orElseThrow();
    assertThat(event.get("author").asText()).isEqualTo("page");
    assertThat(event.get("reason").asText()).isEqualTo("worse on reviews");
    assertThat(event.get("basedOn").asLong()).isZero();
    assertThat(event.get("effect").asBoolean()).isTrue();

    // The token is asked for once; and what somebody else decides meanwhile is not undone unseen.
    browser.find("#pin").click();
    assertThat(browser.find("#decide-token").isDisplayed()).isFalse();
    decisions.published(TestAdapters.chain("books", 3));
    RolloutEvent rollback =
        RolloutEvent.newBuilder()
            .setEventId(event.get("eventId").asText())
            .setDomain("books")
            .setAction(RolloutAction.ROLLBACK)
            .setBasedOn(0L)
            .setVersion(TestDecisions.ref(TestAdapters.chain("books", 3).get(1)))
            .setPolicy(RolloutPolicy.MANUAL)
            .setAuthor("page")
            .setCreatedAt(Instant.now())
            .build();
    decisions.fold(rollback);
    decisions.decide("books", d -> d.pin(1L));
    Await.until("another decision", () -> api.serving("books") == 1);
    browser.find("#decide-yes").click();
    browser.awaitText("#outcome", "Not done, somebody decided first");
    assertThat(api.serving("books")).isEqualTo(1);
    // The browser says of itself that requests were answered 401 and 409.
    assertThat(browser.complaints()).hasSize(2).allMatch(line -> line.contains("/v1/rollouts/"));
  }

  private static void decide(String action, String token, String reason) {
    browser.find("#" + action).click();
    browser.find("#decide [name=token]").sendKeys(token);
    browser.find("#decide [name=reason]").sendKeys(reason);
    browser.find("#decide-yes").click();
  }

  @Test
  void scriptInNamesAndTextsStaysText() throws Exception {
    String script =
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    progress.step(script, Instant.now(), 1, 8, 8);
    progress.deadLetter(script, script, script, script.getBytes(UTF_8));
    RolloutEvent event =
        RolloutEvent.newBuilder(drift(script)).setReason(script).setAuthor(script).build();
    progress.event(event, Instant.now());
    progress.flush();

    open("#/?search=" + URLEncoder.encode("<img", UTF_8));
    browser.awaitText("#domains tbody", script);
    browser.find("#letters-table summary").click();
    browser.awaitText("#letters-table tbody", script);
    browser.find("#domains tbody a").click();
    browser.awaitText("#domain-name", script);
    browser.awaitText("#marks", script);

    assertThat(browser.all("main img, main script")).isEmpty();
    assertThat(browser.script("return document.title")).isEqualTo(script + " – Millrace");
  }

  @Test
  void whereATokenIsNeededThePageAsksForIt() throws Exception {
    progress.step("guarded", Instant.now(), 1, 8, 8);
    progress.flush();
    Settings settings =
        Settings.of(
            DashboardSettings.ALL,
            null,
            List.of(
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url(),
                "serving.tokens.predict=see",
                "dashboard.serving=http://127.0.0.1:" + process.port()));
    try (DashboardProcess page = DashboardProcess.start(settings, 0)) {
      browser.open("http://127.0.0.1:" + page.port() + "/#/domain/guarded");
      for (String token : List.of("wrong", "see")) {
        Await.until("it asks", () -> browser.find("#admit [name=token]").isDisplayed());
        assertThat(browser.text("#domain-name")).isEmpty();
        browser.find("#admit [name=token]").sendKeys(token);
        browser.find("#admit button").click();
      }
      browser.awaitText("#domain-name", "guarded");
      browser.awaitText("#connection", "live");
    }
    browser.open("about:blank");
    // The browser says of itself that two requests were answered 401.
    assertThat(browser.complaints())
        .filteredOn(line -> line.contains("401"))
        .hasSize(2)
        .allMatch(line -> line.contains("/page/events"));
  }

  @Test
  void tenThousandDomainsOpenAtOnce() throws Exception {
    Random random = new Random(5);
    Instant begin = Instant.now().minusSeconds(3600);
    for (int step = 0; step < 12; step++) {
      for (int i = 0; i < 10_000; i++) {
        String name = "shop-%04d/reviews".formatted(i);
        double share = 0.5 + 0.03 * step + 0.1 * Math.sin(i);
        progress.step(
            name, begin.plusSeconds(300L * step), 1, hits(share, random), hits(0.55, random));
      }
    }
    for (int i = 0; i < 10_000; i += 1250) {
      progress.event(drift("shop-%04d/reviews".formatted(i)), Instant.now());
    }
    progress.flush();
    Settings settings =
        Settings.of(
            DashboardSettings.ALL,
            null,
            List.of(
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url(),
                "dashboard.maxDomains=11000",
                "dashboard.serving=http://127.0.0.1:" + process.port()));
    try (DashboardProcess page = DashboardProcess.start(settings, 0)) {
      Api api = new Api(page.port());
      Await.until(
          "all are read",
          () ->
              api.get("/v1/dashboard?search=shop-9999").body().at("/list/domains/0/outline").size()
                  == 12);

      long started = System.nanoTime();
      browser.open("http://127.0.0.1:" + page.port() + "/#/?search=shop");
      Await.until("the first page is there", () -> browser.all("#domains tbody tr").size() == 25);
      long millis = (System.nanoTime() - started) / 1_000_000;
      System.out.println("10,000 domains: the page shows the first 25 after " + millis + " ms");
      assertThat(millis).isLessThan(5000);

      browser.awaitText("#page-of", "Page 1 of 400; 10,000 domains");
      browser.awaitText("#domains tbody tr:first-child", "drift");
      browser.size(1080, 680, 1);
      browser.picture("domains");
      browser.size(1280, 900, 1);
      browser.find("#next").click();
      browser.awaitText("#page-of", "Page 2 of 400");
      browser.find("[data-filter=drift]").click();
      browser.awaitText("#page-of", "Page 1 of 1; 8 domains");
      browser.find("[data-filter=all]").click();
      browser.find("#search").clear();
      browser.find("#search").sendKeys("SHOP-0777/");
      browser.awaitText("#page-of", "1 domain");
      browser.awaitText("#domains tbody", "shop-0777/reviews");
    }
    browser.open("about:blank");
  }
}
