package io.millrace.inference.dashboard;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.log.ConsumerProgress;
import io.millrace.inference.log.GroupLag;
import io.millrace.inference.log.TopicReader;
import io.millrace.inference.store.TopicIdentity;
import io.millrace.schemas.Topics;
import java.net.URI;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Reads what the page shows, and puts it together for what somebody looks at. Any thread may ask;
 * no call waits for Kafka or for another process.
 */
public final class Dashboard {
  /** Letters that an answer has. */
  private static final int LETTERS = 50;

  private final TrackedDomains domains;
  private final DeadLetters letters = new DeadLetters();
  private final List<TopicReader> readers;
  private final GroupLag lag;
  private final Replicas replicas;
  private final Clock clock;
  private final ShortMemory<String, ObjectNode> overviews = new ShortMemory<>();

  /** By the first page of a list: its other pages are in the same order. */
  private final ShortMemory<View, List<DomainList.Row>> lists = new ShortMemory<>();

  /**
   * @param group the consumer group of the job
   * @param most domains to hold
   * @param serving where the serving processes listen; asked once, at the first look
   */
  public Dashboard(
      Connection connection, String group, int most, Supplier<List<URI>> serving, Clock clock) {
    this.domains = new TrackedDomains(most);
    this.clock = clock;
    this.replicas = new Replicas(serving, domains, most);
    this.lag = new GroupLag(connection, Topics.LABELED_EXAMPLES, group);
    AtomicReference<TopicIdentity> rollouts = new AtomicReference<>();
    this.readers =
        List.of(
            reader(
                connection,
                RolloutKind.PUBLICATIONS,
                new RolloutEvents(RolloutKind.PUBLICATIONS, domains, rollouts),
                letters),
            reader(
                connection,
                RolloutKind.DECISIONS,
                new RolloutEvents(RolloutKind.DECISIONS, domains, rollouts),
                new ProgressIntake(domains)));
  }

  /** What stops it is shown on the page, and stands in the log. */
  private static TopicReader reader(
      Connection connection, RolloutKind kind, RolloutEvents events, MemoryIntake<?> other) {
    return new TopicReader(
        "page-" + kind.id(),
        connection,
        kind.isolation(),
        List.of(events, other),
        () -> {},
        notice -> {});
  }

  /** Begins to read. */
  public void start() {
    readers.forEach(TopicReader::start);
    lag.start();
  }

  /** Where the serving processes listen that texts and decisions go to. */
  public List<URI> serving() {
    return replicas.addresses();
  }

  /** What somebody sees who looks at {@code view}. */
  public ObjectNode see(View view) {
    Instant now = clock.instant();
    replicas.look();
    ObjectNode seen = Json.object();
    seen.put("at", Json.time(now));
    seen.set("overview", overviews.get("", () -> overview(now)));
    String domain = view.domain();
    seen.set("list", domain == null ? list(view, now) : null);
    seen.set("domain", domain == null ? null : detail(domain, now));
    seen.set("deadLetters", letters(domain));
    return seen;
  }

  private ObjectNode list(View view, Instant now) {
    DomainList list = new DomainList(view, replicas, now);
    List<DomainList.Row> rows = lists.get(view.first(), () -> domains.read(list::rows));
    return domains.read(all -> list.json(rows));
  }

  private ObjectNode overview(Instant now) {
    long dead = letters.counts().values().stream().mapToLong(count -> count).sum();
    boolean caughtUp = readers.stream().allMatch(each -> each.progress().caughtUp());
    Overview overview = new Overview(replicas, lag.latest(), caughtUp, now);
    ObjectNode json = domains.read(overview::add).json(dead);
    json.put("domainsLeft", domains.left());
    ArrayNode problems = json.putArray("problems");
    readers.stream()
        .map(TopicReader::progress)
        .flatMap(Dashboard::problems)
        .distinct()
        .forEach(problems::add);
    json.put("caughtUp", caughtUp);
    return json;
  }

  private static Stream<String> problems(ConsumerProgress progress) {
    String unreadable =
        progress.unreadable() == 0
            ? null
            : "%d records could not be read, the last: %s"
                .formatted(progress.unreadable(), progress.lastUnreadable());
    return Stream.of(progress.problem(), unreadable).filter(Objects::nonNull);
  }

  private ObjectNode detail(String name, Instant now) {
    List<Replicas.Report> reports = replicas.reports(name);
    return domains.readOne(
        name,
        domain ->
            DomainDetail.json(
                name, domain, domain == null ? Set.of() : Need.of(domain, replicas, now), reports));
  }

  /** Of a domain, or of all where it is null. */
  private ObjectNode letters(String domain) {
    ObjectNode json = Json.object();
    ObjectNode counts = json.putObject("byReason");
    letters.counts().forEach(counts::put);
    ArrayNode latest = json.putArray("latest");
    letters.latest().stream()
        .filter(letter -> domain == null || domain.equals(letter.domain()))
        .limit(LETTERS)
        .forEach(
            letter ->
                latest
                    .addObject()
                    .put("time", Json.time(letter.time()))
                    .put("domain", letter.domain())
                    .put("reason", letter.reason())
                    .put("message", letter.message())
                    .put("from", letter.from())
                    .put("text", letter.text()));
    return json;
  }

  /** Asks everything to stop. */
  public void beginClose() {
    readers.forEach(TopicReader::beginClose);
    lag.beginClose();
    replicas.close();
  }

  /**
   * Waits for the readers to stop.
   *
   * @return false where one still reads when the time is up
   */
  public boolean awaitClosed(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    boolean closed = true;
    for (TopicReader reader : readers) {
      closed &= reader.awaitClosed(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
    }
    return closed;
  }
}
