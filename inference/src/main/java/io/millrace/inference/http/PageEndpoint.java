package io.millrace.inference.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /} and {@code GET /page/FILE}: the page and what it consists of, which is the same for
 * everybody. What it shows, it asks for.
 */
public final class PageEndpoint implements Endpoint {
  /** The route of the files. */
  static final String FILE_ROUTE = "/page/{file}";

  private static final String FILES = "/page/";

  /** Nothing from elsewhere, nothing inline, and in no frame. */
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
          + " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  private static final String CHARTS = "META-INF/maven/org.webjars.npm/uplot/pom.properties";

  private record File(String type, byte[] bytes, String tag) {
    static File of(String type, String resource) {
      try (InputStream in = PageEndpoint.class.getResourceAsStream(resource)) {
        if (in == null) {
          throw new IllegalStateException("this build lacks " + resource);
        }
        byte[] bytes = in.readAllBytes();
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes);
        return new File(type, bytes, '"' + HexFormat.of().formatHex(hash, 0, 12) + '"');
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private final Map<String, File> files = files();

  private static Map<String, File> files() {
    String charts = "/META-INF/resources/webjars/uplot/" + chartsVersion() + "/dist/";
    String script = "text/javascript; charset=utf-8";
    String style = "text/css; charset=utf-8";
    Map<String, File> files = new TreeMap<>();
    files.put("", File.of("text/html; charset=utf-8", "/page/index.html"));
    for (String name : new String[] {"page", "stream", "chart", "domain", "list", "shown"}) {
      files.put(name + ".js", File.of(script, FILES + name + ".js"));
    }
    files.put("page.css", File.of(style, "/page/page.css"));
    files.put("icon.svg", File.of("image/svg+xml", "/page/icon.svg"));
    files.put("uplot.js", File.of(script, charts + "uPlot.iife.min.js"));
    files.put("uplot.css", File.of(style, charts + "uPlot.min.css"));
    return files;
  }

  private static String chartsVersion() {
    try (InputStream in = PageEndpoint.class.getResourceAsStream("/" + CHARTS)) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether a path is one of a file. */
  static boolean isFile(String path) {
    return path.startsWith(FILES) && path.indexOf('/', FILES.length()) < 0;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    String path = Request.getPathInContext(request);
    File file = files.get(isFile(path) ? path.substring(FILES.length()) : "");
    if (file == null || path.equals(FILES)) {
      Answer.error(response, callback, HttpStatus.NOT_FOUND_404, "no such path");
      return;
    }
    response.getHeaders().put("Content-Security-Policy", POLICY);
    response.getHeaders().put("Referrer-Policy", "no-referrer");
    response.getHeaders().put(HttpHeader.ETAG, file.tag());
    // The next build has other files: a browser is to ask whether its own are still these.
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache");
    if (file.tag().equals(request.getHeaders().get(HttpHeader.IF_NONE_MATCH))) {
      response.setStatus(HttpStatus.NOT_MODIFIED_304);
      response.write(true, null, callback);
      return;
    }
    response.setStatus(HttpStatus.OK_200);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, file.type());
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, file.bytes().length);
    response.write(true, ByteBuffer.wrap(file.bytes()), callback);
  }
}
