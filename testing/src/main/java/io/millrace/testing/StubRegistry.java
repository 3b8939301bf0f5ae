package io.millrace.testing;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.BasicAuthenticator;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The two calls of a schema registry that records need; it can be made to fail. */
public final class StubRegistry implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpServer server;
  private final List<String> schemas = new CopyOnWriteArrayList<>();
  private volatile boolean failing;

  StubRegistry() throws IOException {
    server = HttpServer.create(anyPort(), 0);
    server.createContext("/", this::answer);
    server.start();
  }

  private StubRegistry(HttpsServer server, BasicAuthenticator users) {
    this.server = server;
    server.createContext("/", this::answer).setAuthenticator(users);
    server.start();
  }

  /**
   * A registry of its own that speaks TLS, and answers one user alone.
   *
   * @param keyStore of {@link Certificates}
   */
  public static StubRegistry secured(Path keyStore, String user, String password)
      throws IOException, GeneralSecurityException {
    HttpsServer server = HttpsServer.create(anyPort(), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(Certificates.context(keyStore)));
    return new StubRegistry(
        server,
        new BasicAuthenticator("registry") {
          @Override
          public boolean checkCredentials(String shownUser, String shownPassword) {
            return shownUser.equals(user) && shownPassword.equals(password);
          }
        });
  }

  private static InetSocketAddress anyPort() throws IOException {
    return new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0);
  }

  public String url() {
    String scheme = server instanceof HttpsServer ? "https" : "http";
    return scheme + "://127.0.0.1:" + server.getAddress().getPort();
  }

  public void setFailing(boolean failing) {
    this.failing = failing;
  }

  private void answer(HttpExchange exchange) throws IOException {
    ObjectNode body = JSON.createObjectNode();
    int status = 200;
    if (failing) {
      status = 500;
    } else if (exchange.getRequestMethod().equals("POST")) {
      body.put("id", idOf(JSON.readTree(exchange.getRequestBody()).get("schema").asText()));
    } else {
      String path = exchange.getRequestURI().getPath();
      int id = Integer.parseInt(path.substring(path.lastIndexOf('/') + 1));
      if (id <= schemas.size()) {
        body.put("schema", schemas.get(id - 1));
      } else {
        status = 404;
        body.put("error_code", 40403).put("message", "no such schema");
      }
    }
    byte[] bytes = JSON.writeValueAsBytes(body);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  private synchronized int idOf(String schema) {
    if (!schemas.contains(schema)) {
      schemas.add(schema);
    }
    return schemas.indexOf(schema) + 1;
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
