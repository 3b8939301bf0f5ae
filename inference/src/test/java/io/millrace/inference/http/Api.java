package io.millrace.inference.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** The HTTP service, as a client sees it who holds it to its description. */
public final class Api {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final int port;

  public Api(int port) {
    this.port = port;
  }

  /** Every body is a JSON object, or this fails. */
  public record Reply(HttpResponse<String> response, JsonNode body) {
    public int status() {
      return response.statusCode();
    }

    public String error() {
      return body.get("error").asText();
    }
  }

  public Reply get(String path) throws Exception {
    return send(request(path).GET());
  }

  public Reply predict(String domain, String text) throws Exception {
    ObjectNode body = JSON.createObjectNode().put("domain", domain).put("text", text);
    return post("/v1/predict", JSON.writeValueAsBytes(body));
  }

  public Reply feedback(String requestId, String label) throws Exception {
    ObjectNode body = JSON.createObjectNode().put("requestId", requestId).put("label", label);
    return post("/v1/feedback", JSON.writeValueAsBytes(body));
  }

  public Reply post(String path, byte[] body) throws Exception {
    return send(request(path).header("Content-Type", "application/json"), body);
  }

  /** With more headers. */
  public Reply post(String path, byte[] body, Map<String, String> headers) throws Exception {
    HttpRequest.Builder request = request(path).header("Content-Type", "application/json");
    headers.forEach(request::header);
    return send(request, body);
  }

  Reply post(String path, BodyPublisher body) throws Exception {
    return send(request(path).header("Content-Type", "application/json").POST(body));
  }

  /** A request with a bearer token. */
  public Reply post(String path, String body, String token) throws Exception {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + token),
        body.getBytes(StandardCharsets.UTF_8));
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
  }

  /** Posts a body; where it is taken, its description must allow it. */
  Reply send(HttpRequest.Builder request, byte[] body) throws Exception {
    Reply reply = send(request.POST(BodyPublishers.ofByteArray(body)));
    if (reply.status() == 200) {
      ApiDescription.get().checkTaken("POST", reply.response().uri().getRawPath(), body);
    }
    return reply;
  }

  Reply send(HttpRequest.Builder request) throws Exception {
    HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
    ApiDescription.get().check(response);
    return new Reply(response, JSON.readTree(response.body()));
  }

  public boolean isReady() throws Exception {
    return get("/health/ready").status() == 200;
  }

  /** Number of the version that serves; 0 where none does. */
  public long serving(String domain) throws Exception {
    return domain(domain).path("serving").path("version").asLong();
  }

  /** What {@code /v1/adapters} says of a domain; a missing node where it knows none. */
  public JsonNode domain(String domain) throws Exception {
    return get("/v1/adapters?domain=" + domain).body().path("domains").path(0);
  }

  public static float[] logits(Reply reply, List<String> labels) {
    float[] logits = new float[labels.size()];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = reply.body().get("logits").get(labels.get(i)).floatValue();
    }
    return logits;
  }
}
