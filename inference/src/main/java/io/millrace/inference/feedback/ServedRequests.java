package io.millrace.inference.feedback;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.PrivateDirectories;
import io.millrace.client.process.UsageException;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.store.KeyValueStore;
import io.millrace.inference.store.KeyValueStore.Table;
import io.millrace.inference.store.StoreException;
import io.millrace.inference.store.StoredVersion;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

/**
 * The requests answered lately, by their ids, in a local RocksDB.
 *
 * <p>A write reaches the operating system before the call returns, so it outlives the process,
 * however it ends. It does not outlive a loss of power: nothing is synced.
 *
 * <p>Requests are numbered in the order in which they are remembered. The table {@code order} has
 * the number as its key, so the oldest requests come first, and {@link #forget} reads no others.
 * Until it deletes them, {@link #find} leaves them out.
 *
 * <p>Any thread may call; {@link #close} only when no other call is running.
 */
public final class ServedRequests implements AutoCloseable {
  private static final String REQUESTS = "requests";
  private static final String ORDER = "order";

  /** Deletions at a time. New requests wait meanwhile, about a millisecond. */
  private static final int FORGOTTEN_AT_ONCE = 20;

  /** Shorter than the hash of any id. */
  private static final byte[] PROCESS = {0};

  private static final ObjectMapper JSON = new ObjectMapper();

  /** The hash of a request's id, beside its number. */
  private record Numbered(long number, byte[] id) {}

  private final Duration window;
  private final long max;
  private final InstantSource clock;
  private final KeyValueStore db;
  private final Table requests;
  private final Table order;

  // Guarded by this, so that numbers, writes and times have the same order.
  private long first = 1;
  private volatile long last;
  private long lastMillis;

  /**
   * Opens the store in a directory, which is made where there is none.
   *
   * @param window how long a request is remembered
   * @param max how many requests are remembered
   * @throws UsageException where it cannot be opened or read: another process has it open, say
   */
  public static ServedRequests open(
      Path directory, Duration window, long max, InstantSource clock) {
    try {
      PrivateDirectories.create(directory);
      KeyValueStore db =
          KeyValueStore.open(
              "the store of served requests " + directory, directory, List.of(REQUESTS, ORDER));
      try {
        return new ServedRequests(window, max, clock, db);
      } catch (StoreException e) {
        db.close();
        throw cannotOpen(directory, e);
      }
    } catch (IOException | KeyValueStore.CannotOpenException e) {
      throw cannotOpen(directory, e);
    }
  }

  private static UsageException cannotOpen(Path directory, Exception cause) {
    return new UsageException(
        "the store of served requests "
            + directory
            + " cannot be opened ("
            + cause.getMessage()
            + "); delete it, and only feedback on requests of before is lost",
        cause);
  }

  private ServedRequests(Duration window, long max, InstantSource clock, KeyValueStore db) {
    this.window = window;
    this.max = max;
    this.clock = clock;
    this.db = db;
    this.requests = db.table(REQUESTS);
    this.order = db.table(ORDER);
    order.scan(
        key(0),
        (key, value) -> {
          first = number(key);
          return false;
        });
    order
        .last()
        .ifPresent(
            entry -> {
              last = number(entry.getKey());
              lastMillis = ByteBuffer.wrap(entry.getValue()).getLong();
            });
  }

  /**
   * Remembers an answer for the domain that was asked under its id. Where the same text of the same
   * domain was answered under it before, as to a client that asked again, the first answer stays.
   *
   * @return false, and nothing is remembered, where another request has the id
   */
  boolean remember(String requestId, String domain, String text, Prediction prediction) {
    byte[] id = id(requestId);
    StoredVersion version = prediction.version();
    ObjectNode node = JSON.createObjectNode();
    boolean isOfBase = prediction.isOfBase();
    node.put("domain", domain);
    node.put("text", ServedRequest.kept(text));
    // Earlier releases read these fields, too, and know no base.
    node.put("predicted", isOfBase ? "" : prediction.label());
    node.put("servedDomain", prediction.servedDomain());
    node.put("version", isOfBase ? 0 : version.version());
    node.put("sha256", isOfBase ? "" : version.sha256());
    synchronized (this) {
      Optional<ServedRequest> held = find(requestId);
      if (held.isPresent()) {
        return held.get().asks(domain, text);
      }
      // The order of times must hold even where the clock is set back.
      lastMillis = Math.max(lastMillis, clock.millis());
      long number = ++last;
      node.put("number", number);
      node.put("at", lastMillis);
      byte[] entry =
          ByteBuffer.allocate(Long.BYTES + id.length).putLong(lastMillis).put(id).array();
      db.write(
          batch -> {
            batch.put(requests, id, bytes(node));
            batch.put(order, key(number), entry);
          });
      return true;
    }
  }

  /** The answer of an id; empty where the id is unknown or was forgotten. */
  Optional<ServedRequest> find(String requestId) {
    return get(id(requestId)).filter(request -> !isOver(request.number(), request.at()));
  }

  /** Remembers a request that another process has answered, unless its id is known here. */
  synchronized void learn(byte[] id, ServedRequest request) {
    boolean known = get(id).filter(held -> !isOver(held.number(), held.at())).isPresent();
    if (known || isOver(last + 1, request.at())) {
      return;
    }
    lastMillis = Math.max(lastMillis, clock.millis());
    long number = ++last;
    byte[] entry = ByteBuffer.allocate(Long.BYTES + id.length).putLong(lastMillis).put(id).array();
    ObjectNode node = node(request).put("number", number);
    db.write(
        batch -> {
          batch.put(requests, id, bytes(node));
          batch.put(order, key(number), entry);
        });
  }

  /**
   * Takes a claim in place of another, unless there is an example or a third claim came first.
   *
   * @param asked {@link ServedRequest#asked} of the request
   * @param after the attempt of the claim that it follows; null for the first
   * @return whether the request has this claim now
   */
  synchronized boolean claim(byte[] id, String asked, ServedRequest.Claim claim, String after) {
    Optional<ServedRequest> held = get(id).filter(request -> request.asked().equals(asked));
    if (held.isEmpty() || held.get().example() != null) {
      return false;
    }
    ServedRequest.Claim before = held.get().claim();
    if (before != null && before.attempt().equals(claim.attempt())) {
      return true;
    }
    if (!Objects.equals(before == null ? null : before.attempt(), after)) {
      return false;
    }
    ObjectNode node = node(held.get());
    node.set("claim", json(claim));
    db.write(batch -> batch.put(requests, id, bytes(node)));
    return true;
  }

  /** Remembers the example that another process has made. */
  synchronized void made(byte[] id, String asked, ServedRequest.Example example) {
    get(id)
        .filter(held -> held.example() == null && held.asked().equals(asked))
        .ifPresent(
            held -> {
              ObjectNode node = node(held);
              node.set("example", json(example));
              db.write(batch -> batch.put(requests, id, bytes(node)));
            });
  }

  /** Names this store, and with it the process that has it, also after a restart. */
  synchronized String process() {
    return requests
        .get(PROCESS)
        .map(bytes -> new String(bytes, UTF_8))
        .orElseGet(
            () -> {
              String name = UUID.randomUUID().toString();
              db.write(batch -> batch.put(requests, PROCESS, name.getBytes(UTF_8)));
              return name;
            });
  }

  /** Remembers the example that was made of a request, unless its id was given anew. */
  synchronized void made(String requestId, ServedRequest request, ServedRequest.Example example) {
    byte[] id = id(requestId);
    if (get(id).filter(held -> held.number() == request.number()).isEmpty()) {
      return;
    }
    ObjectNode node = node(request);
    node.set("example", json(example));
    db.write(batch -> batch.put(requests, id, bytes(node)));
  }

  private boolean isOver(long number, Instant at) {
    return number <= last - max || !at.plus(window).isAfter(clock.instant());
  }

  /** Deletes the requests that {@link #find} leaves out. */
  void forget() {
    while (forgetSome()) {}
  }

  private synchronized boolean forgetSome() {
    List<Numbered> over = new ArrayList<>();
    order.scan(
        key(first),
        (key, value) -> {
          ByteBuffer entry = ByteBuffer.wrap(value);
          Instant at = Instant.ofEpochMilli(entry.getLong());
          if (!isOver(number(key), at)) {
            return false;
          }
          byte[] id = new byte[entry.remaining()];
          entry.get(id);
          over.add(new Numbered(number(key), id));
          return over.size() < FORGOTTEN_AT_ONCE;
        });
    if (over.isEmpty()) {
      return false;
    }
    // An id that was used again belongs to the later request.
    List<byte[]> ids =
        over.stream()
            .filter(each -> get(each.id).filter(held -> held.number() == each.number).isPresent())
            .map(Numbered::id)
            .toList();
    byte[] from = key(first);
    long next = over.get(over.size() - 1).number + 1;
    db.write(
        batch -> {
          ids.forEach(id -> batch.delete(requests, id));
          batch.deleteRange(order, from, key(next));
        });
    first = next;
    return true;
  }

  /** Number of the requests remembered, approximately. */
  long count() {
    return Math.max(0, last - first + 1);
  }

  private Optional<ServedRequest> get(byte[] id) {
    return requests.get(id).map(ServedRequests::request);
  }

  private static ServedRequest request(byte[] bytes) {
    try {
      return request(JSON.readTree(bytes));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A request from its JSON, made by {@link #node}. */
  static ServedRequest request(JsonNode node) {
    JsonNode claim = node.get("claim");
    JsonNode example = node.get("example");
    return new ServedRequest(
        node.path("number").asLong(),
        Instant.ofEpochMilli(node.get("at").asLong()),
        node.get("domain").asText(),
        node.get("text").textValue(),
        node.get("predicted").asText(),
        // Earlier releases wrote none: the domain that was asked had answered.
        node.has("servedDomain")
            ? node.get("servedDomain").textValue()
            : node.get("domain").asText(),
        node.get("version").asLong(),
        node.get("sha256").asText(),
        claim == null ? null : claim(claim),
        example == null ? null : example(example));
  }

  static ServedRequest.Claim claim(JsonNode node) {
    return new ServedRequest.Claim(
        node.get("attempt").asText(),
        node.get("process").asText(),
        node.get("label").asText(),
        Instant.ofEpochMilli(node.get("at").asLong()));
  }

  static ServedRequest.Example example(JsonNode node) {
    return new ServedRequest.Example(
        node.get("label").asText(), node.get("partition").asInt(), node.get("offset").asLong());
  }

  static ObjectNode json(ServedRequest.Claim claim) {
    return JSON.createObjectNode()
        .put("attempt", claim.attempt())
        .put("process", claim.process())
        .put("label", claim.label())
        .put("at", claim.at().toEpochMilli());
  }

  static ObjectNode json(ServedRequest.Example example) {
    return JSON.createObjectNode()
        .put("label", example.label())
        .put("partition", example.partition())
        .put("offset", example.offset());
  }

  static ObjectNode node(ServedRequest request) {
    ObjectNode node =
        JSON.createObjectNode()
            .put("domain", request.domain())
            .put("text", request.text())
            .put("predicted", request.predicted())
            .put("servedDomain", request.servedDomain())
            .put("version", request.version())
            .put("sha256", request.sha256())
            .put("number", request.number())
            .put("at", request.at().toEpochMilli());
    if (request.claim() != null) {
      node.set("claim", json(request.claim()));
    }
    return node;
  }

  /** The key of an id: its hash, since an id may be as long as a body. */
  static byte[] id(String requestId) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(requestId.getBytes(UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] key(long number) {
    return ByteBuffer.allocate(Long.BYTES).putLong(number).array();
  }

  private static long number(byte[] key) {
    return ByteBuffer.wrap(key).getLong();
  }

  private static byte[] bytes(JsonNode node) {
    try {
      return JSON.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    db.close();
  }
}
