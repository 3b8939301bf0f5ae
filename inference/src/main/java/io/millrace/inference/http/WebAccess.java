package io.millrace.inference.http;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * What web pages may do. A browser sends requests of any page that is open in it, and says in
 * {@code Origin} whose they are. A page whose name leads to this process's address (DNS rebinding)
 * counts as its own; only {@code Host} shows that name. So both must be known here.
 */
public final class WebAccess {
  public static final Setting<String> ALLOWED_HOSTS =
      Setting.text(
          "serving.allowedHosts",
          "",
          "Names by which clients may reach this process, separated by commas, besides localhost and"
              + " the address it listens on.");

  public static final Setting<String> ALLOWED_ORIGINS =
      Setting.text(
          "serving.allowedOrigins",
          "",
          "Origins of web pages that may use this process (CORS), such as https://app.example,"
              + " separated by commas.");

  /** The settings that {@link #of} reads, besides the address. */
  public static final List<Setting<?>> SETTINGS = List.of(ALLOWED_HOSTS, ALLOWED_ORIGINS);

  private static final Duration PREFLIGHT_HOLDS = Duration.ofMinutes(10);
  private static final Pattern IPV4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");
  private static final Pattern HOST =
      Pattern.compile("[a-z0-9._-]+|\\[[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*]");

  private final Set<String> hosts;
  private final Set<String> origins;

  /** For clients that reach {@code bound}, the address it listens on, and no web pages. */
  WebAccess(String bound) {
    this(own(bound).collect(Collectors.toUnmodifiableSet()), Set.of());
  }

  private WebAccess(Set<String> hosts, Set<String> origins) {
    this.hosts = hosts;
    this.origins = origins;
  }

  /**
   * As the settings say.
   *
   * @param bound the address it listens on
   * @throws UsageException where a host or an origin is none
   */
  public static WebAccess of(Settings settings, String bound) {
    Stream<String> allowed =
        list(settings.get(ALLOWED_HOSTS))
            .map(
                host -> {
                  if (!HOST.matcher(name(host)).matches()) {
                    throw new UsageException(
                        ALLOWED_HOSTS.key()
                            + ": "
                            + Setting.quoted(host)
                            + " is not a host's name or address, without a port");
                  }
                  return name(host);
                });
    return new WebAccess(
        Stream.concat(own(bound), allowed).collect(Collectors.toUnmodifiableSet()),
        list(settings.get(ALLOWED_ORIGINS))
            .map(WebAccess::requireOrigin)
            .collect(Collectors.toUnmodifiableSet()));
  }

  /** A wildcard is no address that a request can reach. */
  private static Stream<String> own(String bound) {
    return Stream.of("localhost", name(bound))
        .filter(name -> !name.equals("0.0.0.0") && !name.equals("[::]"));
  }

  private static Stream<String> list(String items) {
    return Arrays.stream(items.split(",")).map(String::strip).filter(item -> !item.isEmpty());
  }

  private static String requireOrigin(String text) {
    Optional<URI> origin = parse(text.toLowerCase(Locale.ROOT));
    if (origin.isEmpty()) {
      throw new UsageException(
          ALLOWED_ORIGINS.key()
              + ": "
              + Setting.quoted(text)
              + " is not an origin, such as https://app.example or http://localhost:3000");
    }
    return origin.get().toString();
  }

  /** Scheme, host and perhaps a port, and nothing else. */
  private static Optional<URI> parse(String origin) {
    try {
      URI uri = new URI(origin);
      boolean bare =
          ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))
              && uri.getHost() != null
              && uri.getRawUserInfo() == null
              && uri.getRawPath().isEmpty()
              && uri.getRawQuery() == null
              && uri.getRawFragment() == null;
      return bare ? Optional.of(uri) : Optional.empty();
    } catch (URISyntaxException e) {
      return Optional.empty();
    }
  }

  /** Why a request is refused, for the client; empty where it is not. */
  Optional<String> objection(Request request) {
    HttpFields headers = request.getHeaders();
    String host = Request.getServerName(request);
    if (headers.contains(HttpHeader.HOST) && !isOurs(name(host), request)) {
      return Optional.of(
          "this process is not called "
              + Setting.quoted(host)
              + ": use its address, or name it in serving.allowedHosts");
    }
    List<String> named = headers.getValuesList(HttpHeader.ORIGIN);
    boolean allowed =
        named.stream().allMatch(origin -> isAllowed(origin) || isSame(origin, request));
    if (!allowed || named.size() > 1) {
      return Optional.of(
          "web pages of "
              + Setting.quoted(String.join(" ", named))
              + " may not use this process: see serving.allowedOrigins");
    }
    return Optional.empty();
  }

  private boolean isOurs(String host, Request request) {
    if (hosts.contains(host)) {
      return true;
    }
    // Only an address can be looked up without asking a name server, whom the page may own.
    if (!IPV4.matcher(host).matches() && !host.startsWith("[")) {
      return false;
    }
    try {
      InetAddress address = InetAddress.getByName(host);
      SocketAddress local = request.getConnectionMetaData().getLocalSocketAddress();
      return address.isLoopbackAddress()
          || (local instanceof InetSocketAddress socket && address.equals(socket.getAddress()));
    } catch (UnknownHostException e) {
      return false;
    }
  }

  private boolean isAllowed(String origin) {
    return origins.contains(origin.toLowerCase(Locale.ROOT));
  }

  /** A page that this process's own address delivered, as a proxy before it may. */
  private static boolean isSame(String origin, Request request) {
    Optional<URI> uri = parse(origin.toLowerCase(Locale.ROOT));
    if (uri.isEmpty()) {
      return false;
    }
    int standard = uri.get().getScheme().equals("https") ? 443 : 80;
    String authority = request.getHeaders().get(HttpHeader.HOST);
    // A port that Host leaves out is that of the scheme, which only the browser knows.
    boolean bare = authority != null && !authority.matches(".*:\\d+");
    int port = bare ? standard : Request.getServerPort(request);
    return name(uri.get().getHost()).equals(name(Request.getServerName(request)))
        && (uri.get().getPort() < 0 ? standard : uri.get().getPort()) == port;
  }

  /** Lets the page that an allowed request comes from read the answer. */
  void share(Request request, Response response) {
    if (origins.isEmpty()) {
      return;
    }
    response.getHeaders().put(HttpHeader.VARY, HttpHeader.ORIGIN.asString());
    String origin = request.getHeaders().get(HttpHeader.ORIGIN);
    if (origin != null && isAllowed(origin)) {
      response.getHeaders().put(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
      response.getHeaders().put(HttpHeader.ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After");
    }
  }

  /** Whether a browser asks what an allowed page may send. */
  boolean isPreflight(Request request) {
    String origin = request.getHeaders().get(HttpHeader.ORIGIN);
    return request.getMethod().equals("OPTIONS")
        && origin != null
        && isAllowed(origin)
        && request.getHeaders().contains(HttpHeader.ACCESS_CONTROL_REQUEST_METHOD);
  }

  /** Tells it. */
  void answerPreflight(Response response, Callback callback, String methods) {
    response.setStatus(HttpStatus.NO_CONTENT_204);
    response
        .getHeaders()
        .put(HttpHeader.ACCESS_CONTROL_ALLOW_METHODS, methods)
        .put(HttpHeader.ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type")
        .put(HttpHeader.ACCESS_CONTROL_MAX_AGE, PREFLIGHT_HOLDS.toSeconds());
    response.write(true, null, callback);
  }

  /** A host's name as names are compared: an IPv6 address in brackets. */
  private static String name(String host) {
    String lower = host.toLowerCase(Locale.ROOT);
    if (lower.contains(":") && !lower.startsWith("[")) {
      return "[" + lower + "]";
    }
    return lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
  }
}
