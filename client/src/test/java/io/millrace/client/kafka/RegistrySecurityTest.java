package io.millrace.client.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.testing.Certificates;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What our client shows to a registry, and which registry it believes. */
@Tag("integration")
class RegistrySecurityTest {
  private static final char[] PASSWORD = Certificates.PASSWORD.toCharArray();

  /** What each request showed: the server's port and the header Authorization. */
  private static final List<String> SHOWN = Collections.synchronizedList(new ArrayList<>());

  @TempDir static Path directory;
  private static Path serverTrust;
  private static Path clientKey;
  private static HttpServer plain;
  private static HttpsServer tls;
  private static HttpsServer mutual;
  private static HttpServer elsewhere;

  @BeforeAll
  static void start() throws Exception {
    Certificates certificates = new Certificates(directory);
    Path serverKey = certificates.keyStore("server");
    serverTrust = certificates.trustStore(serverKey);
    clientKey = certificates.keyStore("client");
    SSLContext context = context(serverKey, certificates.trustStore(clientKey));
    plain = HttpServer.create(anyPort(), 0);
    tls = HttpsServer.create(anyPort(), 0);
    tls.setHttpsConfigurator(new HttpsConfigurator(context));
    mutual = HttpsServer.create(anyPort(), 0);
    mutual.setHttpsConfigurator(
        new HttpsConfigurator(context) {
          @Override
          public void configure(HttpsParameters parameters) {
            SSLParameters needed = getSSLContext().getDefaultSSLParameters();
            needed.setNeedClientAuth(true);
            parameters.setSSLParameters(needed);
          }
        });
    elsewhere = HttpServer.create(anyPort(), 0);
    for (HttpServer server : List.of(plain, tls, mutual, elsewhere)) {
      server.createContext("/", RegistrySecurityTest::answer);
      server.createContext("/there/", RegistrySecurityTest::sendElsewhere);
      server.createContext("/near/", RegistrySecurityTest::sendToRoot);
      server.start();
    }
  }

  @AfterAll
  static void stop() {
    List.of(plain, tls, mutual, elsewhere).forEach(server -> server.stop(0));
  }

  @BeforeEach
  void forget() {
    SHOWN.clear();
  }

  private static InetSocketAddress anyPort() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }

  private static SSLContext context(Path key, Path trust) throws Exception {
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store(key), PASSWORD);
    TrustManagerFactory trusted = TrustManagerFactory.getInstance("PKIX");
    trusted.init(store(trust));
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trusted.getTrustManagers(), null);
    return context;
  }

  private static KeyStore store(Path file) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(file)) {
      store.load(in, PASSWORD);
    }
    return store;
  }

  private static void answer(HttpExchange exchange) throws IOException {
    note(exchange);
    byte[] body = "{\"schema\":\"{\\\"type\\\":\\\"string\\\"}\",\"id\":7}".getBytes(UTF_8);
    exchange.getRequestBody().readAllBytes();
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private static void sendElsewhere(HttpExchange exchange) throws IOException {
    note(exchange);
    String path = exchange.getRequestURI().getPath().substring("/there".length());
    move(exchange, "http://127.0.0.1:" + elsewhere.getAddress().getPort() + path);
  }

  private static void sendToRoot(HttpExchange exchange) throws IOException {
    note(exchange);
    move(exchange, exchange.getRequestURI().getPath().substring("/near".length()));
  }

  private static void move(HttpExchange exchange, String location) throws IOException {
    exchange.getResponseHeaders().add("Location", location);
    exchange.sendResponseHeaders(307, -1);
    exchange.close();
  }

  private static void note(HttpExchange exchange) {
    SHOWN.add(
        exchange.getLocalAddress().getPort()
            + " "
            + exchange.getRequestHeaders().getFirst("Authorization"));
  }

  private static String shown(HttpServer server, String authorization) {
    return server.getAddress().getPort() + " " + authorization;
  }

  private static String basic(String user) {
    return "Basic " + Base64.getEncoder().encodeToString(user.getBytes(UTF_8));
  }

  /** Asks with our client, as the settings say. */
  private static void ask(HttpServer server, String path, String... sets) {
    String scheme = server instanceof HttpsServer ? "https" : "http";
    List<String> all = new ArrayList<>(List.of(sets));
    String address = scheme + "://127.0.0.1:" + server.getAddress().getPort() + path;
    all.add("schema.registry.url=" + address);
    new Connection(Settings.of(Connection.SETTINGS, null, all))
        .serializer()
        .serialize("topic", Records.EXAMPLE);
  }

  private static String trust() {
    return "schema.registry.ssl.truststore.location=" + serverTrust;
  }

  private static final String TRUST_PASSWORD =
      "schema.registry.ssl.truststore.password=" + Certificates.PASSWORD;
  private static final String TRUST_TYPE = "schema.registry.ssl.truststore.type=PKCS12";

  @Test
  void aUserAndItsPasswordAreShown() {
    ask(plain, "", "schema.registry.basic.auth.user.info=ada:pa:ss");
    ask(
        plain,
        "",
        "schema.registry.basic.auth.credentials.source=USER_INFO",
        "schema.registry.basic.auth.user.info=ada:x");

    assertThat(SHOWN)
        .containsExactly(shown(plain, basic("ada:pa:ss")), shown(plain, basic("ada:x")));
  }

  @Test
  void aTokenIsShown() {
    ask(plain, "", "schema.registry.bearer.auth.token=t0ken");
    ask(
        plain,
        "",
        "schema.registry.bearer.auth.credentials.source=STATIC_TOKEN",
        "schema.registry.bearer.auth.token=t1");

    assertThat(SHOWN).containsExactly(shown(plain, "Bearer t0ken"), shown(plain, "Bearer t1"));
  }

  @Test
  void aRegistryIsBelievedWhereTheTrustStoreSaysSo() {
    ask(tls, "", trust(), TRUST_PASSWORD, TRUST_TYPE, "schema.registry.bearer.auth.token=t");

    assertThat(SHOWN).containsExactly(shown(tls, "Bearer t"));
    assertThatThrownBy(() -> ask(tls, "", "schema.registry.bearer.auth.token=t"))
        .isInstanceOf(RegistryUnavailableException.class)
        .hasMessageContaining("PKIX path building failed");
    assertThat(SHOWN).hasSize(1);
  }

  @Test
  void aRegistryThatWantsACertificateIsShownOne() {
    assertThatThrownBy(() -> ask(mutual, "", trust(), TRUST_PASSWORD, TRUST_TYPE))
        .isInstanceOf(RegistryUnavailableException.class);
    assertThat(SHOWN).isEmpty();

    ask(
        mutual,
        "",
        trust(),
        TRUST_PASSWORD,
        TRUST_TYPE,
        "schema.registry.ssl.keystore.location=" + clientKey,
        "schema.registry.ssl.keystore.type=PKCS12",
        "schema.registry.ssl.keystore.password=" + Certificates.PASSWORD,
        "schema.registry.ssl.key.password=" + Certificates.PASSWORD);

    assertThat(SHOWN).containsExactly(shown(mutual, null));
  }

  @Test
  void credentialsStayWithTheServerTheyAreFor() {
    for (String set :
        List.of(
            "schema.registry.basic.auth.user.info=ada:secret",
            "schema.registry.bearer.auth.token=secret")) {
      assertThatThrownBy(() -> ask(plain, "/there", set))
          .isInstanceOf(RegistryUnavailableException.class)
          .hasMessageContaining(
              "sends its clients to http://127.0.0.1:" + elsewhere.getAddress().getPort())
          .hasMessageNotContaining("secret");
    }
    assertThat(SHOWN).noneMatch(each -> each.startsWith(shown(elsewhere, "")));

    SHOWN.clear();
    ask(plain, "/near", "schema.registry.bearer.auth.token=secret");
    assertThat(SHOWN).containsExactly(shown(plain, "Bearer secret"), shown(plain, "Bearer secret"));
  }

  @Test
  void withoutCredentialsARedirectIsFollowedButNotFromTlsToPlainText() {
    ask(plain, "/there");
    assertThat(SHOWN).containsExactly(shown(plain, null), shown(elsewhere, null));

    SHOWN.clear();
    assertThatThrownBy(() -> ask(tls, "/there", trust(), TRUST_PASSWORD, TRUST_TYPE))
        .isInstanceOf(RegistryUnavailableException.class);
    assertThat(SHOWN).containsExactly(shown(tls, null));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "basic.auth.credentials.source=USER_INFO"
            + "|schema.registry.basic.auth.credentials.source is USER_INFO, and"
            + " schema.registry.basic.auth.user.info is not set",
        "basic.auth.credentials.source=SASL_INHERIT"
            + "|schema.registry.basic.auth.credentials.source: Millrace's own client knows only URL"
            + " and USER_INFO; Confluent's classes know others (docs/deployment.md)",
        "bearer.auth.credentials.source=OAUTHBEARER"
            + "|schema.registry.bearer.auth.credentials.source: Millrace's own client knows only"
            + " STATIC_TOKEN; Confluent's classes know others (docs/deployment.md)",
        "basic.auth.user.info=ada-secret"
            + "|schema.registry.basic.auth.user.info is not user:password",
        "ssl.endpoint.identification.algorithm="
            + "|schema.registry.ssl.endpoint.identification.algorithm: Millrace's own client always"
            + " checks that the certificate is the host's: leave it out",
      })
  void whatCannotBeIsTheUsersMistakeInOneLine(String settingAndMessage) {
    String[] parts = settingAndMessage.split("\\|");

    assertThatThrownBy(() -> ask(plain, "", "schema.registry." + parts[0]))
        .isInstanceOf(UsageException.class)
        .hasMessage(parts[1]);
    assertThat(SHOWN).isEmpty();
  }

  @Test
  void aStoreThatCannotBeReadIsNamedAndItsPasswordIsNot() {
    assertThatThrownBy(() -> ask(tls, "", "schema.registry.ssl.truststore.location=/no/such"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("/no/such");
    assertThatThrownBy(
            () -> ask(tls, "", trust(), "schema.registry.ssl.truststore.password=sesame"))
        .isInstanceOf(UsageException.class)
        .hasMessageNotContaining("sesame");
  }
}
